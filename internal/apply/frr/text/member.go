package text

import (
	"net/netip"
	"slices"
	"strings"
)

// attributeList begins the names of lists of announced prefixes with the same attributes.
const attributeList = Prefix + "attributes-"

// Member returns the announced prefix whose entry in such a list the change is about.
func Member(c Change) (netip.Prefix, bool) {
	if len(c.Path) > 0 {
		return netip.Prefix{}, false
	}
	return member(c.Line)
}

func member(line string) (netip.Prefix, bool) {
	words := strings.Fields(line)
	if len(words) != 7 || !isListEntry(line) || !strings.HasPrefix(words[2], attributeList) {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(words[6])
	return p, err == nil
}

// WithoutMembers leaves those entries out: they are many, and all alike.
func WithoutMembers(blocks []Block) []Block {
	return slices.DeleteFunc(slices.Clone(blocks), func(b Block) bool {
		_, is := member(b.Line)
		return is
	})
}

// Saved is frr.conf: what must be, behind what stays of a running FRR whoever wrote it, the operator's own lines last
// and between two remarks.
func Saved(c Config, running Running) string {
	top := []Block{{Line: "service integrated-vtysh-config"}}
	for _, b := range running.Merged() {
		if kept(b.Line) && b.Line != top[0].Line {
			top = append(top, b)
		}
	}
	out := File(top) + "!\n" + File(c.Ours)
	if len(c.Raw) > 0 {
		out += "! begin of raw lines\n" + File(c.Raw) + "! end of raw lines\n"
	}
	return out
}
