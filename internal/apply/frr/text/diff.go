package text

import (
	"maps"
	"slices"
	"strings"
)

// Daemon is one of FRR's, by its name.
type Daemon string

// The daemons that get statements of ours. From FRR 9 on mgmtd holds a part of zebra's.
const (
	BGP   Daemon = "bgpd"
	Zebra Daemon = "zebra"
	BFD   Daemon = "bfdd"
	Mgmt  Daemon = "mgmtd"
)

// Running is what each daemon of a running FRR shows.
type Running map[Daemon][]Block

// Gathered returns what runs with what mgmtd holds for zebra and staticd put to zebra's account: since FRR 10 they show,
// and take, only a part by themselves.
func (r Running) Gathered() Running {
	held, manages := r[Mgmt]
	if !manages {
		return r
	}
	gathered := maps.Clone(r)
	gathered[Zebra] = Merge(Merge(held, r[Zebra]), r["staticd"])
	delete(gathered, Mgmt)
	delete(gathered, "staticd")
	return gathered
}

// Merged is all of it, as vtysh would show it.
func (r Running) Merged() []Block {
	var all []Block
	for _, d := range slices.Sorted(maps.Keys(r)) {
		all = Merge(all, r[d])
	}
	return all
}

// audience is the daemon that acts on a statement of ours.
func audience(line string) Daemon {
	for begin, d := range map[string]Daemon{"bfd": BFD, "vrf ": Zebra, "ip protocol ": Zebra, "ipv6 protocol ": Zebra,
		"ip nht ": Zebra, "ipv6 nht ": Zebra, "route-map " + installMap: Zebra, "ip prefix-list " + installList: Zebra,
		"ipv6 prefix-list " + installList: Zebra} {
		if strings.HasPrefix(line, begin) {
			return d
		}
	}
	return BGP
}

// Verb is what happens to a statement.
type Verb string

// The verbs.
const (
	Add     Verb = "add"
	Replace Verb = "replace"
	Remove  Verb = "remove"
)

// Change is one statement that is to be another, or not to be.
type Change struct {
	Daemon Daemon // "": an operator's own, which vtysh hands to whom it concerns
	Path   []string
	Verb   Verb
	Line   string
	Old    string // what Line takes the place of
	// Implied: it goes, or comes, with something else that does: its block, or its neighbour.
	Implied bool
}

// Difference is what separates a running FRR from what must be.
type Difference struct {
	Changes []Change
	gone    map[spot]bool // neighbours that are wanted no more
	anew    map[spot]bool // and those that have to be made anew: FRR lets none out of a peer group
	have    Running
	want    Config
}

// spot is a neighbour, or peer group, of an instance.
type spot struct{ instance, neighbor string }

// Empty tells that there is none.
func (d Difference) Empty() bool { return len(d.Changes) == 0 }

// Diff compares. A daemon of ours that is missing from have lacks everything.
func Diff(want Config, have Running) Difference {
	d := Difference{gone: map[spot]bool{}, anew: map[spot]bool{}, have: have, want: want}
	daemons := map[Daemon]bool{BGP: true, Zebra: true, BFD: true}
	for name := range have {
		daemons[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(daemons)) {
		var ours []Block
		for _, b := range want.Ours {
			if audience(b.Line) == name {
				ours = append(ours, b)
			}
		}
		running := have[name]
		if name == BGP {
			running = d.neighbors(want.Blocks, running)
		}
		d.add(name, nil, ours, running)
		d.remove(name, nil, want.Blocks, running)
	}
	d.add("", nil, want.Raw, Merge(want.Ours, have.Merged()))
	return d
}

func index(blocks []Block) map[string]int {
	at := make(map[string]int, len(blocks))
	for i, b := range blocks {
		at[b.Line] = i
	}
	return at
}

// add lists what is wanted and not there.
func (d *Difference) add(name Daemon, path []string, want, have []Block) {
	there := index(have)
	values := map[string]Block{}
	for _, b := range have {
		if key := setting(path, b.Line); key != "" {
			values[key] = b
		}
	}
	for _, w := range want {
		i, found := there[w.Line]
		var inside []Block
		switch {
		case found:
			inside = have[i].In
		case stands(w.Line):
		default:
			c := Change{Daemon: name, Path: path, Verb: Add, Line: w.Line}
			if old, other := values[setting(path, w.Line)]; other {
				c.Verb, c.Old = Replace, old.Line
				inside = old.In // an entry of a route-map keeps its conditions when it denies what it permitted
			}
			d.Changes = append(d.Changes, c)
		}
		d.add(name, below(path, w.Line), w.In, inside)
	}
}

func below(path []string, line string) []string {
	return append(slices.Clip(path), line)
}

// remove lists what is there and not wanted.
func (d *Difference) remove(name Daemon, path []string, want, have []Block) {
	wanted := index(want)
	values := map[string]Block{}
	for _, b := range want {
		if key := setting(path, b.Line); key != "" {
			values[key] = b
		}
	}
	for _, h := range have {
		if i, found := wanted[h.Line]; found {
			d.remove(name, below(path, h.Line), want[i].In, h.In)
			continue
		}
		replaced, other := values[setting(path, h.Line)]
		switch {
		case len(path) == 0 && kept(h.Line), mute(path, h):
		case other:
			d.remove(name, below(path, replaced.Line), replaced.In, h.In)
		case stands(h.Line):
			d.remove(name, below(path, h.Line), nil, h.In)
		default:
			d.Changes = append(d.Changes, Change{Daemon: name, Path: path, Verb: Remove, Line: h.Line})
			d.implied(name, below(path, h.Line), h.In)
		}
	}
}

// implied lists what goes with the block it stands in.
func (d *Difference) implied(name Daemon, path []string, blocks []Block) {
	for _, b := range blocks {
		if !stands(b.Line) {
			d.Changes = append(d.Changes, Change{Daemon: name, Path: path, Verb: Remove, Line: b.Line, Implied: true})
		}
		d.implied(name, below(path, b.Line), b.In)
	}
}

// neighbors finds those that go as a whole or have to be made anew, and returns what runs without their statements.
func (d *Difference) neighbors(want, have []Block) []Block {
	rest := slices.Clone(have)
	for i, h := range rest {
		w, found := find(want, h.Line)
		if !found || !strings.HasPrefix(h.Line, "router bgp ") {
			continue
		}
		drop := map[string]bool{}
		for _, b := range h.In {
			name := neighborOf(b.Line)
			if name == "" {
				continue
			}
			switch {
			case !mentions(w.In, name):
				d.gone[spot{h.Line, name}], drop[name] = true, true
			case isOtherwiseMade(b.Line, w.In):
				d.anew[spot{h.Line, name}], drop[name] = true, true
			}
		}
		rest[i].In = d.without(h.In, drop, []string{h.Line})
	}
	return rest
}

func mentions(blocks []Block, name string) bool {
	return slices.ContainsFunc(blocks, func(b Block) bool { return neighborOf(b.Line) == name })
}

// isOtherwiseMade tells a statement that makes a neighbour in a way that cannot become the wanted one by statements: as
// member of a peer group, as an interface's, as a group.
func isOtherwiseMade(line string, want []Block) bool {
	words := strings.Fields(line)
	if !slices.Contains([]string{"peer-group", "interface"}, words[2]) {
		return false
	}
	return !slices.ContainsFunc(want, func(b Block) bool {
		w := strings.Fields(b.Line)
		return b.Line == line || len(w) == 5 && len(words) == 5 && w[1] == words[1] && w[2] == words[2] && w[3] == words[3]
	})
}

// without leaves out the statements of neighbours, and lists them as gone.
func (d *Difference) without(blocks []Block, drop map[string]bool, path []string) []Block {
	var rest []Block
	for _, b := range blocks {
		if drop[neighborOf(b.Line)] {
			d.Changes = append(d.Changes, Change{Daemon: BGP, Path: path, Verb: Remove, Line: b.Line, Implied: true})
			continue
		}
		b.In = d.without(b.In, drop, below(path, b.Line))
		rest = append(rest, b)
	}
	return rest
}
