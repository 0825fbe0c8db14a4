package text

import (
	"cmp"
	_ "embed" // the template
	"fmt"
	"slices"
	"strings"
	"text/template"

	"ovnbgp/internal/model"
)

// Prefix begins the name of every route-map and list of ours.
const Prefix = "ovnbgp-"

// Config is what FRR must run with.
type Config struct {
	Blocks []Block // in the words that `show running-config` prints, the operator's own lines included
	Ours   []Block // without those
	Raw    []Block // the operator's own
	// Lacks say what the model asks for and this version of FRR cannot do. It is left out.
	Lacks []string
}

//go:embed frr.conf.tmpl
var templateText string

// Render returns the configuration for a version of FRR. The error names what in the model no FRR takes.
func Render(n model.Node, v Version) (Config, error) {
	if err := check(n); err != nil {
		return Config{}, err
	}
	tmpl, err := template.New("frr.conf").Parse(templateText)
	if err != nil {
		return Config{}, fmt.Errorf("template of FRR's configuration: %w", err)
	}
	made := build(n, v)
	var out strings.Builder
	if err := tmpl.Execute(&out, made); err != nil {
		return Config{}, fmt.Errorf("FRR's configuration: %w", err)
	}
	c := Config{Ours: Parse(out.String()), Raw: Parse(strings.Join(n.BGP.Raw, "\n")), Lacks: made.lacks}
	if wrong := contradiction(c.Ours, c.Raw, nil); wrong != nil {
		return Config{}, fmt.Errorf("%s: %w", rawPlace(n.BGP, wrong.statement...), wrong)
	}
	c.Blocks = Merge(c.Ours, c.Raw)
	return c, nil
}

// wrongRaw is what a raw statement may not do.
type wrongRaw struct {
	statement []string // after what it stands in
	text      string
}

func (w *wrongRaw) Error() string { return w.text }

// rawPlace is where a raw statement, after what it stands in, is written: "/etc/ovnbgp/raw.conf:3".
func rawPlace(b model.BGP, statement ...string) string {
	from := 0
	for i, s := range statement {
		at := slices.IndexFunc(b.Raw[from:], func(line string) bool { return strings.Trim(line, " \t\r") == s })
		if at < 0 {
			return rawFile(b)
		}
		if from += at; i < len(statement)-1 {
			from++
		}
	}
	return RawAt(b, from)
}

// RawAt is where a raw line is written, by its place among them.
func RawAt(b model.BGP, i int) string { return fmt.Sprintf("%s:%d", rawFile(b), i+1) }

func rawFile(b model.BGP) string { return cmp.Or(b.RawFile, "frr_raw_file") }

// contradiction returns a raw statement that would change one of ours.
func contradiction(ours, raw []Block, path []string) *wrongRaw {
	settings := map[string]string{}
	for _, b := range ours {
		if key := setting(path, b.Line); key != "" {
			settings[key] = b.Line
		}
	}
	for _, b := range raw {
		if mine, both := settings[setting(path, b.Line)]; both && mine != b.Line {
			return &wrongRaw{append(slices.Clone(path), b.Line), fmt.Sprintf("raw line %q contradicts %q, which follows from other options",
				Redact(b.Line), Redact(mine))}
		}
		if strings.Contains(b.Line, " "+Prefix) && len(path) == 0 {
			return &wrongRaw{[]string{b.Line}, fmt.Sprintf("raw line %q: names that begin with %s are the agent's own", Redact(b.Line), Prefix)}
		}
		if mine, both := find(ours, b.Line); both {
			if err := contradiction(mine.In, b.In, append(path, b.Line)); err != nil {
				return err
			}
		}
	}
	return nil
}

// conf is what the template prints: every field is text or a number as FRR shows it.
type conf struct {
	Lists                []listEntry
	Communities, ASPaths []string // lists
	Maps                 []mapEntry
	VRFs                 []vrf
	Instances            []instance
	Protocols            []protocol
	Profiles             []profile

	NextHopsByDefault bool

	lacks []string
}

// listEntry is one line of a prefix list.
type listEntry struct {
	Family string // "ip", "ipv6"
	Name   string
	Seq    uint32
	Range  string
}

// mapEntry is one entry of a route-map.
type mapEntry struct {
	Name    string
	Action  string // "permit", "deny"
	Seq     int
	Matches []string
	Sets    []string
}

type vrf struct {
	Name string
	VNI  uint32
}

// protocol says by which route-map zebra takes BGP's routes into the kernel.
type protocol struct{ Family, Map string }

// profile is a set of BFD timers; what FRR has by itself is 0.
type profile struct {
	Name                          string
	Multiplier, Transmit, Receive int
}

// instance is a "router bgp".
type instance struct {
	AS              uint32
	VRF             string // "" is the default instance
	RouterID        string
	Speaks          bool // has neighbours
	Drained         bool
	Relax           bool
	GracefulRestart *gracefulRestart
	NoRestart       bool // no part in graceful restart, not even as helper
	Neighbors       []neighbor
	Families        []family
}

// gracefulRestart holds what differs from FRR's own.
type gracefulRestart struct {
	Seconds  int
	Preserve bool
}

// neighbor is a peer's settings outside of the address families.
type neighbor struct {
	ID                    string // address or interface
	Unnumbered            bool
	AS                    string
	BFD                   string
	ControlPlane          bool
	Password              string
	Multihop, TTLSecurity int
	Source                string
	Timers                string // "10 30"
	Connect               int
	ExtendedNextHop       bool
}

// family is an address family of an instance.
type family struct {
	Name         string
	Redistribute []string // "connected route-map X"
	Neighbors    []familyNeighbor
	Lines        []string // behind the neighbours
}

// familyNeighbor is a peer's settings in an address family.
type familyNeighbor struct {
	ID            string
	In, Out       string // route-maps
	NextHopSelf   bool
	AllowOwnAS    bool
	WarnPrefixes  uint32
	LimitPrefixes uint32
}
