package text

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Batch is commands for one daemon's configure node, in order.
type Batch struct {
	Daemon Daemon
	Lines  []string
}

// Updating returns the commands that add and change. What they need is there before them: BFD's profiles and zebra's
// maps, then lists and route-maps, then instances; a neighbour stays shut until all that concerns it stands, so that it
// opens its session with graceful restart and all its families, and with no other filter than its own.
func (d Difference) Updating() []Batch {
	var batches []Batch
	for _, name := range []Daemon{BFD, Zebra, BGP} {
		w := writer{}
		d.obstacles(name, &w)
		d.policies(name, &w)
		d.instances(name, &w)
		d.others(name, &w)
		if w.lines = w.end(); len(w.lines) > 0 {
			batches = append(batches, Batch{name, w.lines})
		}
	}
	return batches
}

// writer keeps the node that the next command is for.
type writer struct {
	lines []string
	path  []string
}

func (w *writer) write(path []string, line string) {
	common := 0
	for common < min(len(path), len(w.path)) && path[common] == w.path[common] {
		common++
	}
	w.leave(common)
	w.lines = append(w.lines, path[common:]...)
	w.path = slices.Clone(path)
	w.lines = append(w.lines, line)
}

func (w *writer) leave(depth int) {
	for len(w.path) > depth {
		w.lines = append(w.lines, closing(w.path[len(w.path)-1]))
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *writer) end() []string {
	w.leave(0)
	return w.lines
}

// closing is the word that leaves a block.
func closing(header string) string {
	switch {
	case strings.HasPrefix(header, "address-family "):
		return "exit-address-family"
	case strings.HasPrefix(header, "vrf "):
		return "exit-vrf"
	}
	return "exit"
}

// opens tells statements that lead into a node of their own.
func opens(line string) bool {
	return slices.ContainsFunc([]string{"router ", "route-map ", "bfd", "profile ", "address-family ", "vrf ", "interface "},
		func(begin string) bool { return strings.HasPrefix(line, begin) })
}

// statement writes one and stays in the node that it opens.
func (w *writer) statement(path []string, line string) {
	w.write(path, line)
	if opens(line) {
		w.path = below(path, line)
	}
}

// of lists a daemon's changes that are made by commands of their own.
func (d Difference) of(name Daemon, keep func(Change) bool) []Change {
	var list []Change
	for _, c := range d.Changes {
		if c.Daemon == name && !c.Implied && keep(c) {
			list = append(list, c)
		}
	}
	return list
}

// obstacles takes away what stands in the way of what is added: an instance of another AS, a neighbour that has to be
// made anew, the one of two settings that exclude each other, numbers in a list that others will take.
func (d Difference) obstacles(name Daemon, w *writer) {
	for _, inVRF := range []bool{true, false} {
		for _, c := range d.of(name, d.isObstacle) {
			if strings.Contains(c.Line, " vrf ") == inVRF {
				w.write(c.Path, negation(c.Line))
			}
		}
	}
	if name == BGP {
		for _, s := range sortedSpots(d.anew) {
			w.write([]string{s.instance}, "no neighbor "+s.neighbor)
		}
	}
	for _, c := range d.of(name, func(c Change) bool { return c.Verb == Replace && isListEntry(c.Line) }) {
		w.write(c.Path, "no "+c.Old)
	}
	w.leave(0)
}

func isListEntry(line string) bool {
	return strings.HasPrefix(line, "ip prefix-list ") || strings.HasPrefix(line, "ipv6 prefix-list ")
}

// isBGPList tells lists of bgpd alone.
func isBGPList(line string) bool {
	return strings.HasPrefix(line, "bgp as-path ") || strings.HasPrefix(line, "bgp community-list ")
}

// listOf is a list's family and name.
func listOf(line string) string {
	words := strings.Fields(line)
	return strings.Join(words[:min(3, len(words))], " ")
}

func (d Difference) isObstacle(c Change) bool {
	if c.Verb != Remove {
		return false
	}
	words := strings.Fields(c.Line)
	switch {
	case len(c.Path) == 0 && strings.HasPrefix(c.Line, "router bgp "):
		return d.adds(func(a Change) bool { return len(a.Path) == 0 && sameInstance(a.Line, c.Line) })
	case len(c.Path) == 0 && isListEntry(c.Line):
		return d.adds(func(a Change) bool { return a.Verb == Replace && listOf(a.Line) == listOf(c.Line) })
	case len(words) > 2 && (words[2] == "ebgp-multihop" || words[2] == "ttl-security"):
		return d.adds(func(a Change) bool {
			other := strings.Fields(a.Line)
			return len(other) > 2 && other[1] == words[1] && other[2] != words[2] &&
				(other[2] == "ebgp-multihop" || other[2] == "ttl-security")
		})
	}
	return false
}

func (d Difference) adds(is func(Change) bool) bool {
	return slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Verb != Remove && is(c) })
}

// sameInstance tells whether two lines head the instance of one VRF.
func sameInstance(a, b string) bool {
	vrf := func(line string) string {
		words := strings.Fields(line)
		if len(words) >= 5 && words[3] == "vrf" {
			return words[4]
		}
		return ""
	}
	return strings.HasPrefix(a, "router bgp ") && strings.HasPrefix(b, "router bgp ") && vrf(a) == vrf(b)
}

func sortedSpots(set map[spot]bool) []spot {
	return slices.SortedFunc(maps.Keys(set), func(a, b spot) int {
		return strings.Compare(a.instance+" "+a.neighbor, b.instance+" "+b.neighbor)
	})
}

// policies writes lists and route-maps. The last entry of a map comes first: what it lets through must not fall to the
// final deny because an entry before it has just become another.
func (d Difference) policies(name Daemon, w *writer) {
	for _, c := range d.of(name, func(c Change) bool {
		return c.Verb != Remove && len(c.Path) == 0 && (isListEntry(c.Line) || isBGPList(c.Line))
	}) {
		w.write(nil, c.Line)
	}
	entries := d.of(name, func(c Change) bool {
		return strings.HasPrefix(head(c), "route-map ") && (c.Verb != Remove || len(c.Path) > 0)
	})
	slices.SortStableFunc(entries, func(a, b Change) int {
		nameA, seqA := entryOf(head(a))
		nameB, seqB := entryOf(head(b))
		return cmp.Or(cmp.Compare(nameA, nameB), cmp.Compare(seqB, seqA))
	})
	for _, c := range entries {
		if c.Verb == Remove {
			w.write(c.Path, negation(c.Line))
			continue
		}
		w.statement(c.Path, c.Line)
	}
	w.leave(0)
}

// head is the statement of the top that a change is, or stands in.
func head(c Change) string {
	if len(c.Path) > 0 {
		return c.Path[0]
	}
	return c.Line
}

// entryOf takes the line of a route-map's entry apart.
func entryOf(line string) (name string, seq int) {
	words := strings.Fields(line)
	if len(words) < 4 {
		return line, 0
	}
	seq, _ = strconv.Atoi(words[3]) // FRR shows a number
	return words[1], seq
}

// instances writes the instances of VRFs, then the default one: an import of a VRF that has none would make one with
// settings nobody chose.
func (d Difference) instances(name Daemon, w *writer) {
	if name != BGP {
		return
	}
	changes := d.of(name, func(c Change) bool {
		return c.Verb != Remove && strings.HasPrefix(head(c), "router bgp ")
	})
	for _, ofVRF := range []bool{true, false} {
		var some []Change
		for _, c := range changes {
			if strings.Contains(head(c), " vrf ") == ofVRF {
				some = append(some, c)
			}
		}
		writeInstance(d.typed(some), w)
	}
	w.leave(0)
}

func writeInstance(changes []Change, w *writer) {
	var shut, activate []Change
	for _, c := range changes {
		if strings.HasSuffix(c.Line, " activate") {
			activate = append(activate, c)
			continue
		}
		w.statement(c.Path, c.Line)
		if c.Verb == Add && makesNeighbor(c.Line) {
			w.write(c.Path, "neighbor "+neighborOf(c.Line)+" shutdown")
			shut = append(shut, c)
		}
	}
	for _, c := range activate {
		w.write(c.Path, c.Line)
	}
	for _, c := range shut {
		w.write(c.Path, "no neighbor "+neighborOf(c.Line)+" shutdown")
	}
}

func makesNeighbor(line string) bool {
	words := strings.Fields(line)
	return len(words) > 3 && words[0] == "neighbor" && (words[2] == "remote-as" || words[2] == "interface")
}

// others writes what is neither policy nor instance.
func (d Difference) others(name Daemon, w *writer) {
	for _, c := range d.of(name, func(c Change) bool {
		h := head(c)
		return c.Verb != Remove && !isListEntry(h) && !strings.HasPrefix(h, "route-map ") &&
			!strings.HasPrefix(h, "router bgp ") && !isBGPList(h)
	}) {
		w.statement(c.Path, c.Line)
	}
}

// Removing returns the commands that take away what is wanted no more: in reverse of how it is built.
func (d Difference) Removing(keep func(Change) bool) []Batch {
	names := map[Daemon]bool{}
	for _, c := range d.Changes {
		names[c.Daemon] = c.Verb == Remove || names[c.Daemon]
	}
	var batches []Batch
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		w := writer{}
		removals := d.of(name, func(c Change) bool {
			return c.Verb == Remove && !d.isObstacle(c) && !isCondition(c) && keep(c)
		})
		slices.Reverse(removals)
		slices.SortStableFunc(removals, func(a, b Change) int { return rank(a) - rank(b) })
		for i, c := range removals {
			if name == BGP && rank(c) > 0 && (i == 0 || rank(removals[i-1]) == 0) {
				d.removeNeighbors(&w, keep)
			}
			w.write(c.Path, negation(c.Line))
		}
		if name == BGP && (len(removals) == 0 || rank(removals[len(removals)-1]) == 0) {
			d.removeNeighbors(&w, keep)
		}
		if lines := w.end(); len(lines) > 0 {
			batches = append(batches, Batch{name, lines})
		}
	}
	return batches
}

// isCondition tells what stands in an entry of a route-map: that is changed with the entry.
func isCondition(c Change) bool { return len(c.Path) > 0 && strings.HasPrefix(c.Path[0], "route-map ") }

// rank orders removals: what is in blocks, instances of VRFs, the default instance, who uses maps, maps, lists.
func rank(c Change) int {
	switch {
	case len(c.Path) > 0:
		return 0
	case strings.HasPrefix(c.Line, "router ") && strings.Contains(c.Line, " vrf "):
		return 1
	case strings.HasPrefix(c.Line, "router "):
		return 2
	case strings.HasPrefix(c.Line, "route-map "):
		return 4
	case isListEntry(c.Line) || isBGPList(c.Line):
		return 5
	}
	return 3
}

// removeNeighbors takes away neighbours as a whole, members before their groups.
func (d Difference) removeNeighbors(w *writer, keep func(Change) bool) {
	for _, groups := range []bool{false, true} {
		for _, s := range sortedSpots(d.gone) {
			in, _ := find(d.have[BGP], s.instance)
			line := "neighbor " + s.neighbor + " peer-group"
			_, isGroup := find(in.In, line)
			if isGroup != groups || !keep(Change{Daemon: BGP, Path: []string{s.instance}, Verb: Remove, Line: line}) {
				continue
			}
			if !isGroup {
				line = "neighbor " + s.neighbor
			}
			w.write([]string{s.instance}, "no "+line)
		}
	}
}

// Raw returns the operator's own statements that are not there, as a configuration for vtysh.
func (d Difference) Raw() string {
	if len(d.of("", func(Change) bool { return true })) == 0 {
		return ""
	}
	return File(d.want.Raw)
}

// File prints blocks as a file that vtysh reads.
func File(blocks []Block) string {
	var out strings.Builder
	file(&out, blocks, 0)
	return out.String()
}

func file(out *strings.Builder, blocks []Block, depth int) {
	for _, b := range blocks {
		out.WriteString(strings.Repeat(" ", depth) + b.Line + "\n")
		file(out, b.In, depth+1)
		if opens(b.Line) {
			out.WriteString(strings.Repeat(" ", depth) + closing(b.Line) + "\n")
		}
		if depth == 0 && opens(b.Line) {
			out.WriteString("!\n")
		}
	}
}

// Commands returns what makes one block of the top, and all that stands in it.
func Commands(blocks []Block, header string) []string {
	w := writer{}
	if block, is := find(blocks, header); is {
		w.block(nil, block)
	}
	return w.end()
}

func (w *writer) block(path []string, b Block) {
	w.statement(path, b.Line)
	for _, inner := range b.In {
		w.block(below(path, b.Line), inner)
	}
}
