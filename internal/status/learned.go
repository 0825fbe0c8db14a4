package status

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/model"
)

// Learned is the way out of this node: the default routes that BGP neighbours tell, whoever speaks BGP.
type Learned struct {
	// Err says why it cannot be told. The rest is empty then, which says nothing.
	Err string `json:"err,omitempty"`
	// Defaults are those of the families that are spoken with some neighbour, IPv4 first.
	Defaults []Default `json:"defaults,omitempty"`
}

// Default is the default route of one family.
type Default struct {
	Family model.BGPFamily `json:"family"`
	Prefix netip.Prefix    `json:"prefix"`
	State  DefaultState    `json:"state"`
	// Paths are those of neighbours that the speaker uses, the best first; more than one are used at once.
	Paths []model.LearnedPath `json:"paths,omitempty"`
	// Main are the main table's routes, the one in use first. Of another's only those are known that FRR tells of.
	Main []model.MainRoute `json:"main,omitempty"`
	// MainErr says why Main cannot be told.
	MainErr string `json:"mainErr,omitempty"`
	// Neighbors counts those of the family, Up the ones with a session, Received the prefixes that they have told.
	Neighbors int    `json:"neighbors"`
	Up        int    `json:"up"`
	Received  uint64 `json:"received"`
}

// DefaultState says how far a default route has come.
type DefaultState string

// States of a default route.
const (
	DefaultInKernel DefaultState = "in-kernel"     // over every next hop
	DefaultPartly   DefaultState = "partly"        // over some of the next hops that the speaker uses
	DefaultNotThere DefaultState = "not-in-kernel" // the speaker uses it, the main table does not have it
	DefaultUnread   DefaultState = "kernel-unread" // the speaker uses it, and the main table cannot be read
	DefaultUnusable DefaultState = "unusable"      // it is told, and the speaker has chosen no path
	DefaultAwaited  DefaultState = "awaited"       // the speaker has just begun: neighbours have not told everything yet
	DefaultNone     DefaultState = "none"          // no neighbour tells it
)

// LearnedOf tells what is known of the default routes; err is why nothing is.
func LearnedOf(l model.Learning, err error) *Learned {
	if err != nil {
		return &Learned{Err: err.Error()}
	}
	out := &Learned{}
	for _, family := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} {
		if d := defaultOf(l, family); d.Neighbors > 0 || len(d.Paths) > 0 {
			out.Defaults = append(out.Defaults, d)
		}
	}
	return out
}

func defaultOf(l model.Learning, family model.BGPFamily) Default {
	d := Default{Family: family, Prefix: model.DefaultRoute(family), MainErr: l.MainUnknown}
	for _, n := range l.Neighbors {
		for _, f := range n.Families {
			if f.Family != family {
				continue
			}
			if d.Neighbors++; n.Up() {
				d.Up++
				d.Received += f.Received
			}
		}
	}
	for _, x := range l.RIB.Learned {
		if x.Prefix == d.Prefix {
			d.Paths = x.Paths
		}
	}
	for _, r := range l.Main {
		if r.Prefix == d.Prefix {
			d.Main = append(d.Main, r)
		}
	}
	d.State = d.judge(slices.Contains(l.Unusable, d.Prefix), l.RIB.Known)
	return d
}

func (d Default) judge(unusable, known bool) DefaultState {
	ours, there := d.ours()
	switch {
	case len(d.Paths) == 0 && unusable:
		return DefaultUnusable
	case len(d.Paths) == 0 && !known:
		return DefaultAwaited
	case len(d.Paths) == 0:
		return DefaultNone
	case d.MainErr != "":
		return DefaultUnread
	case !there:
		return DefaultNotThere
	case slices.ContainsFunc(d.Paths, func(p model.LearnedPath) bool { return !leads(ours, p) }):
		return DefaultPartly
	}
	return DefaultInKernel
}

// ours is the main table's route that BGP put there.
func (d Default) ours() (model.MainRoute, bool) {
	for _, r := range d.Main {
		if r.By == model.ByBGP {
			return r, true
		}
	}
	return model.MainRoute{}, false
}

// anothers tells whether the main table has a default route that BGP has not put there.
func (d Default) anothers() bool {
	return slices.ContainsFunc(d.Main, func(r model.MainRoute) bool { return r.By != model.ByBGP })
}

// leads tells whether a route has the next hop of a path. On a path's device both must agree where both know it.
func leads(r model.MainRoute, p model.LearnedPath) bool {
	return slices.ContainsFunc(r.NextHops, func(h model.NextHop) bool {
		zone := p.NextHop.Zone()
		return h.Gateway == p.NextHop.WithZone("") && (h.Device == zone || h.Device == "" || zone == "")
	})
}

// NextHops counts, apart, the next hops that the speaker uses and those that the kernel has by BGP.
func (d Default) NextHops() (speaker, kernel int) {
	used := map[string]bool{}
	for _, p := range d.Paths {
		used[p.NextHop.String()] = true
	}
	ours, _ := d.ours()
	return len(used), len(ours.NextHops)
}

// Remarks are what an operator should know of the default routes. Takes tells whether the default route of a family is
// meant to be taken from some neighbour.
func (l *Learned) Remarks(takes func(model.BGPFamily) bool) (list []Remark) {
	for _, d := range l.Defaults {
		r := Remark{Row: "BGP " + d.Prefix.String()}
		switch {
		case d.State == DefaultNone && d.Up > 0 && !d.anothers() && d.MainErr == "" && takes(d.Family):
			r.Reason = "no-default-route"
			r.Text = neighbors(d.Up) + " up and none tells a default route: unless another leads out, what this node sends to the world goes nowhere"
			r.Fix = "have the neighbours originate it, and look whether a filter on either side stops it"
		case d.State == DefaultUnusable:
			r.Reason = "default-route-unusable"
			r.Text = "a neighbour tells the default route, and FRR uses no path of it"
			r.Fix = fmt.Sprintf("`show bgp %s %s` in vtysh says why: a next hop that cannot be reached, or a path of this node's own that is better",
				d.Family, d.Prefix)
		case d.State == DefaultNotThere:
			r.Reason = "default-route-not-in-kernel"
			r.Text = "the default route that BGP learned is not in the main table, which has none"
			r.Fix = "FRR: `show ip route " + d.Prefix.String() + "` in vtysh; speaker built in: see what is in trouble"
			if len(d.Main) > 0 {
				r.Text = fmt.Sprintf("the default route that BGP learned is not in the main table: that of %s is, by %s", d.Main[0].By, hops(d.Main[0].NextHops))
				r.Fix = "take that one away if BGP shall lead out of this node"
			}
		default:
			continue
		}
		list = append(list, r)
	}
	return list
}

func neighbors(n int) string {
	if n == 1 {
		return "1 neighbour is"
	}
	return fmt.Sprintf("%d neighbours are", n)
}

// writeLearned writes one row for each family.
func writeLearned(t *bytes.Buffer, l *Learned) {
	switch {
	case l == nil:
	case l.Err != "":
		fmt.Fprintf(t, "learned\tunknown: %s\n", l.Err)
	default:
		for _, d := range l.Defaults {
			fmt.Fprintf(t, "learned\t%s; %d of %d neighbours up, %s told\n", d, d.Up, d.Neighbors, prefixCount(d.Received))
		}
	}
}

func prefixCount(n uint64) string {
	if n == 1 {
		return "1 prefix"
	}
	return fmt.Sprintf("%d prefixes", n)
}

// String returns "0.0.0.0/0 by eth1 fe80::1, eth2 fe80::2; in the kernel".
func (d Default) String() string {
	var by []string
	for _, p := range d.Paths {
		if text := way(p); !slices.Contains(by, text) {
			by = append(by, text)
		}
	}
	told := d.Prefix.String() + " by " + strings.Join(by, ", ")
	switch d.State {
	case DefaultInKernel:
		return told + "; in the kernel" + d.instead()
	case DefaultPartly:
		ours, _ := d.ours()
		return told + "; in the kernel by " + hops(ours.NextHops) + " alone" + d.instead()
	case DefaultNotThere:
		return told + "; not in the kernel" + d.instead()
	case DefaultUnread:
		return told + "; whether in the kernel is unknown: " + d.MainErr
	case DefaultUnusable:
		return d.Prefix.String() + " is told, and no path of it is used" + d.instead()
	case DefaultAwaited:
		return "no " + d.Prefix.String() + " yet" + d.instead()
	case DefaultNone:
	}
	return "no " + d.Prefix.String() + d.instead()
}

// instead tells of another's route that is in use in place of BGP's.
func (d Default) instead() string {
	if len(d.Main) == 0 || d.Main[0].By == model.ByBGP {
		return ""
	}
	return fmt.Sprintf(", where that of %s by %s is in use", d.Main[0].By, hops(d.Main[0].NextHops))
}

// way returns "eth1 fe80::1", "192.0.2.1", or "198.51.100.1 (told by 192.0.2.9)".
func way(p model.LearnedPath) string {
	text := p.NextHop.WithZone("").String()
	from, err := netip.ParseAddr(p.Neighbor)
	device := p.NextHop.Zone()
	if err != nil && device == "" {
		device = p.Neighbor // no address: the interface
	}
	if device != "" {
		return device + " " + text
	}
	if err == nil && from.WithZone("") != p.NextHop.WithZone("") {
		return text + " (told by " + p.Neighbor + ")"
	}
	return text
}

func hops(list []model.NextHop) string {
	var texts []string
	for _, h := range list {
		text := h.Device
		if h.Gateway.IsValid() {
			text = strings.TrimSpace(h.Device + " " + h.Gateway.String())
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
