package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// node is the kernel, the switch and the BGP daemon of the property test: objects by name, with just so much of
// their nature that one can take another along, and that a packet can be walked through them.
type node struct {
	objects map[string]string // "route 203.0.113.9/32 table 200" → "br-ex"
	rules   []string          // in the order the kernel looks at them
	up      map[string]bool   // bridges, which are not ours to make
	writes  int
}

func newNode() *node {
	return &node{objects: map[string]string{}, up: map[string]bool{"br-ex": true, "br-two": true}}
}

// item is one object of a desired state. A nil serves means all keys.
type item struct {
	name, value, why string
	serves           []string
	needs            string // device that must be there
}

// carrierItems lists what must be, in the order of creation. Flows belong to the switch, all else to the kernel.
func carrierItems(n model.Node, flows bool) (items []item) {
	add := func(serves []string, needs, value, format string, args ...any) {
		items = append(items, item{fmt.Sprintf(format, args...), value, "test", serves, needs})
	}
	if flows {
		for _, f := range n.Flows {
			needs := f.Bridge
			if f.OFPort == 0 {
				needs = "a number of port " + f.InPort
			}
			add(f.Serves, needs, f.EthDst, "flow %s in_port=%d %s", f.Bridge, f.OFPort, f.EtherType)
		}
		return items
	}
	for _, kind := range []model.LinkKind{model.LinkExisting, model.LinkVRF, model.LinkDummy, model.LinkVLAN} {
		for _, l := range n.Links {
			switch {
			case l.Kind != kind:
			case kind == model.LinkExisting:
				add(l.Serves, l.Name, "up", "bridge %s", l.Name)
			default:
				add(l.Serves, l.Parent, fmt.Sprint(l.Master, l.VLAN), "link %s", l.Name)
			}
		}
	}
	for _, a := range n.Addresses {
		add(a.Serves, a.Device, "", "address %s dev %s", a.Prefix, a.Device)
	}
	for _, r := range n.Routes {
		add(r.Serves, r.Device, r.Device, "route %s table %d", r.Prefix, r.Table)
	}
	for _, r := range n.Rules {
		add(r.Serves, "", "", "rule %s table %d", r.Prefix, r.Table)
	}
	for _, nb := range n.Neighbors {
		add(nb.Serves, nb.Device, nb.MAC, "neighbour %s dev %s", nb.IP, nb.Device)
	}
	return items
}

func isFlow(name string) bool { return strings.HasPrefix(name, "flow ") }

// isAnnouncement tells the objects that announcers own.
func isAnnouncement(name string) bool { return strings.HasPrefix(name, "announce ") || name == "leak" }

func (n *node) has(device string) bool {
	if up, isBridge := n.up[device]; isBridge {
		return up
	}
	_, there := n.objects["link "+device]
	return there || device == ""
}

func (n *node) set(i item) error {
	if !n.has(i.needs) {
		return fmt.Errorf("there is no %s", i.needs)
	}
	if strings.HasPrefix(i.name, "bridge ") {
		return nil // it is up, then
	}
	if _, there := n.objects[i.name]; !there && strings.HasPrefix(i.name, "rule ") {
		n.rules = append(n.rules, i.name)
	}
	n.writes++
	n.objects[i.name] = i.value
	return nil
}

// remove deletes an object, and with a device what is on it.
func (n *node) remove(name string) {
	n.writes++
	delete(n.objects, name)
	n.rules = slices.DeleteFunc(n.rules, func(r string) bool { return r == name })
	if device, isLink := strings.CutPrefix(name, "link "); isLink {
		n.flush(device, false)
	}
}

// flush takes away what the kernel takes along when a device goes; when it only goes down, the IPv4 routes.
func (n *node) flush(device string, onlyIPv4Routes bool) {
	for name, value := range n.objects {
		isRoute := strings.HasPrefix(name, "route ") && value == device
		switch {
		case onlyIPv4Routes && (!isRoute || strings.Contains(name, ":")):
		case isRoute, strings.HasSuffix(name, " dev "+device):
			delete(n.objects, name)
		}
	}
}

func (n *node) setBridge(name string, up bool) {
	n.up[name] = up
	if !up {
		n.flush(name, true)
	}
}

// serves says which keys an object that is there serves, by looking at it. Nil: it cannot tell.
func servesOf(name string) []string {
	f := strings.Fields(name)
	switch f[0] {
	case "rule", "route", "announce":
		if p := netip.MustParsePrefix(f[1]); p.Bits() > 0 {
			return []string{model.Key("bgp-vrf", p)}
		}
	case "neighbour":
		return []string{keyOf(netip.MustParseAddr(f[1]))}
	}
	return nil
}

// own is one applier over the node: it owns the objects that its test names.
type own struct {
	n     *node
	name  string
	mine  func(object string) bool
	items func(model.Node) []item
	told  func() []string
	pokes chan struct{}
}

func (o *own) Name() string           { return o.name }
func (o *own) Pokes() <-chan struct{} { return o.pokes }

func (o *own) Announced(context.Context) ([]string, error) { return o.told(), nil }

func (o *own) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	var steps []plan.Step
	wanted := map[string]bool{}
	for _, i := range o.items(want) {
		wanted[i.name] = true
		have, there := o.n.objects[i.name]
		if bridge, isBridge := strings.CutPrefix(i.name, "bridge "); isBridge {
			have, there = i.value, o.n.up[bridge]
		}
		if there && have == i.value {
			continue
		}
		verb := plan.Create
		if there {
			verb = plan.Update
		}
		steps = append(steps, plan.Step{Verb: verb, Object: i.name, Why: i.why, Serves: i.serves,
			Do: func(context.Context) error { return o.n.set(i) }})
	}
	names := slices.Sorted(maps.Keys(o.n.objects))
	slices.Reverse(names) // rules before routes before links
	for _, name := range names {
		if o.mine(name) && !wanted[name] {
			steps = append(steps, plan.Step{Verb: plan.Delete, Object: name, Why: "not wanted", Serves: servesOf(name),
				Do: func(context.Context) error { o.n.remove(name); return nil }})
		}
	}
	return steps, nil
}

func (n *node) appliers() (carriers, announcers []*own) {
	poke := func() chan struct{} { return make(chan struct{}, 1000) }
	carriers = []*own{
		{n: n, name: "kernel", pokes: poke(),
			mine:  func(s string) bool { return !isFlow(s) && !isAnnouncement(s) },
			items: func(w model.Node) []item { return carrierItems(w, false) }},
		{n: n, name: "ovs", pokes: poke(), mine: isFlow,
			items: func(w model.Node) []item { return carrierItems(w, true) }},
	}
	announcers = []*own{
		{n: n, name: "bgp-nic", pokes: poke(), told: n.onNIC,
			mine: func(s string) bool { return strings.HasPrefix(s, "announce ") },
			items: func(w model.Node) (items []item) {
				for _, a := range w.Announcements {
					items = append(items, item{name: "announce " + a.Prefix.String(), serves: []string{a.Key()}, needs: "bgp-nic"})
				}
				return items
			}},
		{n: n, name: "frr", pokes: poke(), told: func() []string { return nil }, // it hands on
			mine:  func(s string) bool { return s == "leak" },
			items: func(model.Node) []item { return []item{{name: "leak"}} }},
	}
	return carriers, announcers
}

// onNIC lists the keys whose addresses are there to be announced.
func (n *node) onNIC() (keys []string) {
	for name := range n.objects {
		if p, ok := strings.CutPrefix(name, "announce "); ok {
			keys = append(keys, "bgp-vrf "+p)
		}
	}
	slices.Sort(keys)
	return keys
}

// told lists the keys the world is told.
func (n *node) told() []string {
	if _, leaked := n.objects["leak"]; !leaked {
		return nil
	}
	return n.onNIC()
}

var errInjected = errors.New("injected")
