package ovs

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"ovnbgp/internal/client/openflow"
)

// view is what a keeper knows of the flows that matter on its bridge. Where a flow monitor tells of changes it keeps
// those read last: a read costs ovs-vswitchd a walk over all flows, and an idle node shall cost it nothing.
//
// An update may come while a read is under way, before its change or after it. So whoever reads takes the generation
// first, and what was read is kept only if nothing has been told since.
type view struct {
	mu         sync.Mutex
	keys       map[openflow.Key]bool // where our flows belong
	generation uint64                // counts what may have made a copy false
	copied     *copied               // nil: read
	told       Bridge                // the connection with a flow monitor; nil where nothing tells
	paused     bool                  // the switch has stopped telling for now
	seen       *string               // where nothing tells: digest of what Plan read last; nil once we have written since
}

// copied are the flows that one connection has read.
type copied struct {
	from  Bridge
	flows []openflow.Flow
}

// expect tells where our flows belong: one of another's in such a place has taken ours away. Nobody has told of those
// in places that did not matter before, so a copy made for other places is dropped.
func (v *view) expect(keys map[openflow.Key]bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !maps.Equal(keys, v.keys) {
		v.keys = keys
		v.drop()
	}
}

// drop makes the next Plan read; v.mu is held.
func (v *view) drop() { v.generation, v.copied = v.generation+1, nil }

// forget makes the next Plan read.
func (v *view) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop()
}

// wrote notes a change of our own, which no update tells of.
func (v *view) wrote() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop()
	v.seen = nil
}

// begin notes a new connection, of which nothing is known yet.
func (v *view) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop()
	v.told, v.paused = nil, false
}

// watched notes that a flow monitor tells of changes, on this connection and as long as it lasts.
func (v *view) watched(conn Bridge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = conn
}

// recall returns the copy, if it is one of this connection, and the generation in any case.
func (v *view) recall(conn Bridge) (flows []openflow.Flow, kept bool, generation uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.copied != nil && v.copied.from == conn {
		return v.copied.flows, true, v.generation
	}
	return nil, false, v.generation
}

// remember takes what the connection has read since a generation, and returns the flows that matter.
func (v *view) remember(conn Bridge, generation uint64, all []openflow.Flow) []openflow.Flow {
	v.mu.Lock()
	defer v.mu.Unlock()
	var flows []openflow.Flow
	for _, f := range all {
		if v.matters(f) {
			flows = append(flows, f)
		}
	}
	switch {
	case v.told != conn:
		seen := digest(flows)
		v.seen = &seen
	case v.generation == generation && !v.paused:
		v.copied = &copied{from: conn, flows: flows}
	}
	return flows
}

// differs tells whether these flows are others than Plan saw last.
func (v *view) differs(all []openflow.Flow) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	flows := slices.DeleteFunc(slices.Clone(all), func(f openflow.Flow) bool { return !v.matters(f) })
	return v.seen == nil || *v.seen != digest(flows)
}

// matters is true of our flows and of anybody's where ours belong; v.mu is held.
func (v *view) matters(f openflow.Flow) bool { return owned(f) || v.keys[f.Key()] }

// replaced is true of a flow that is in the place of one in the copy, such as one of ours that belongs there no more;
// v.mu is held.
func (v *view) replaced(f openflow.Flow) bool {
	return v.copied != nil && slices.ContainsFunc(v.copied.flows,
		func(had openflow.Flow) bool { return had.Key() == f.Key() })
}

// update takes what the flow monitor tells, and returns whether the loop should look.
func (v *view) update(u openflow.Update) (look bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch u.Event {
	case openflow.Added, openflow.Removed, openflow.Modified:
		look = v.matters(u.Flow) || v.replaced(u.Flow)
		if look {
			v.drop()
		}
	case openflow.Abbreviated:
		v.drop()
	case openflow.Paused:
		v.drop()
		v.paused = true
	case openflow.Resumed:
		v.drop()
		v.paused, look = false, true
	}
	return look
}

// digest is the text of flows.
func digest(flows []openflow.Flow) string {
	var lines []string
	for _, f := range flows {
		lines = append(lines, f.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
