package ovn

import (
	"cmp"
	"reflect"
	"slices"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

// cache holds what rows of one table were converted into. A row that converts to the same value keeps the value it
// has, so that snapshots share it.
type cache[T any] struct {
	key    func(*T) string // what the list is sorted by; equal keys are sorted by row
	byRow  map[ovsdb.UUID]*T
	sorted []entry[T]
	// conversions is how often a row was converted: tests hold it to what changed.
	conversions int
}

// nouns are what rows of either central database are converted into.
type nouns struct {
	switches    *cache[ovn.LogicalSwitch]
	ports       *cache[ovn.LogicalSwitchPort]
	routers     *cache[ovn.LogicalRouter]
	routerPorts *cache[ovn.LogicalRouterPort]
	balancers   *cache[ovn.LoadBalancer]
	groups      *cache[ovn.HAChassisGroup]
}

func newNouns() nouns {
	return nouns{
		switches:    newCache(func(x *ovn.LogicalSwitch) string { return x.Name }),
		ports:       newCache(func(x *ovn.LogicalSwitchPort) string { return x.Name }),
		routers:     newCache(func(x *ovn.LogicalRouter) string { return x.Name }),
		routerPorts: newCache(func(x *ovn.LogicalRouterPort) string { return x.Name }),
		balancers:   newCache(func(x *ovn.LoadBalancer) string { return x.Name }),
		groups:      newCache(func(x *ovn.HAChassisGroup) string { return x.Name }),
	}
}

type entry[T any] struct {
	row   ovsdb.UUID
	value *T
}

func newCache[T any](key func(*T) string) *cache[T] {
	return &cache[T]{key: key, byRow: map[ovsdb.UUID]*T{}}
}

// update converts the rows of a set again; convert returns nil for one that is gone. It returns whether anything is
// different.
func (c *cache[T]) update(rows set, convert func(ovsdb.UUID) *T) bool {
	var fresh []entry[T]
	stale := set{}
	c.conversions += len(rows)
	for id := range rows {
		value, old := convert(id), c.byRow[id]
		switch {
		case value == nil && old == nil:
			continue
		case value == nil:
			delete(c.byRow, id)
		case old != nil && reflect.DeepEqual(old, value):
			continue
		default:
			c.byRow[id] = value
			fresh = append(fresh, entry[T]{id, value})
		}
		stale.add(id)
	}
	if len(stale) > 0 {
		c.merge(fresh, stale)
	}
	return len(stale) > 0
}

// andKnown returns the rows of a set and those that were converted before, of which some may be gone.
func (c *cache[T]) andKnown(rows set) set {
	all := make(set, len(rows)+len(c.byRow))
	for id := range rows {
		all.add(id)
	}
	for id := range c.byRow {
		all.add(id)
	}
	return all
}

// merge puts fresh entries in the place of stale ones. Sorting all of fifty thousand for the sake of one would cost
// more than the rest of a round.
func (c *cache[T]) merge(fresh []entry[T], stale set) {
	order := func(a, b entry[T]) int {
		if n := cmp.Compare(c.key(a.value), c.key(b.value)); n != 0 {
			return n
		}
		return a.row.Compare(b.row)
	}
	slices.SortFunc(fresh, order)
	merged := make([]entry[T], 0, len(c.byRow))
	for _, old := range c.sorted {
		if stale.has(old.row) {
			continue
		}
		for len(fresh) > 0 && order(fresh[0], old) < 0 {
			merged, fresh = append(merged, fresh[0]), fresh[1:]
		}
		merged = append(merged, old)
	}
	c.sorted = append(merged, fresh...)
}

// values returns the list for a snapshot.
func (c *cache[T]) values() []*T {
	if len(c.sorted) == 0 {
		return nil
	}
	values := make([]*T, 0, len(c.sorted))
	for _, e := range c.sorted {
		values = append(values, e.value)
	}
	return values
}

// set is a set of rows.
type set map[ovsdb.UUID]struct{}

func (s set) add(id ovsdb.UUID) { s[id] = struct{}{} }

func (s set) has(id ovsdb.UUID) bool {
	_, ok := s[id]
	return ok
}

// changed returns the rows of a table that changed since the last conversion.
func changed[R any](t *ovsdb.Table[R]) set {
	s := set{}
	for id := range t.Changed() {
		s.add(id)
	}
	return s
}

// every adds all rows of a table to a set.
func every[R any](s set, t *ovsdb.Table[R]) {
	for id := range t.All() {
		s.add(id)
	}
}

// owners knows which named row refers to another: which switch has a port, which router a translation. In the
// database the reference is in the owner; who wants the name of a port's switch must go the other way.
type owners struct {
	lists map[ovsdb.UUID]ownerRow
	of    map[ovsdb.UUID]ovsdb.UUID
}

type ownerRow struct {
	name string
	refs []ovsdb.UUID // sorted
}

func newOwners() *owners {
	return &owners{lists: map[ovsdb.UUID]ownerRow{}, of: map[ovsdb.UUID]ovsdb.UUID{}}
}

// name returns the name of the row's owner, "" if it has none.
func (o *owners) name(row ovsdb.UUID) string {
	owner, ok := o.of[row]
	if !ok {
		return ""
	}
	return o.lists[owner].name
}

// set takes note of what an owner is called and refers to now, nothing when it is gone, and adds each row whose
// owner, or owner's name, is another to touched.
func (o *owners) set(owner ovsdb.UUID, now ownerRow, touched set) {
	before := o.lists[owner]
	renamed := before.name != now.name
	for _, row := range before.refs {
		if (renamed || !contains(now.refs, row)) && o.of[row] == owner {
			delete(o.of, row)
			touched.add(row)
		}
	}
	for _, row := range now.refs {
		if o.of[row] != owner {
			o.of[row] = owner
			touched.add(row)
		}
	}
	if now.name == "" && len(now.refs) == 0 {
		delete(o.lists, owner)
		return
	}
	o.lists[owner] = now
}

// sharers is owners for rows that several refer to: which routers have a load balancer.
type sharers struct {
	lists map[ovsdb.UUID]ownerRow
	of    map[ovsdb.UUID]set
}

func newSharers() *sharers {
	return &sharers{lists: map[ovsdb.UUID]ownerRow{}, of: map[ovsdb.UUID]set{}}
}

// names returns the names of those that refer to the row, sorted; nil for none.
func (s *sharers) names(row ovsdb.UUID) []string {
	var list []string
	for sharer := range s.of[row] {
		list = append(list, s.lists[sharer].name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// set takes note of what a row that refers to others is called and refers to now, nothing when it is gone, and adds
// each row for which that is different to touched.
func (s *sharers) set(sharer ovsdb.UUID, now ownerRow, touched set) {
	before := s.lists[sharer]
	renamed := before.name != now.name
	for _, row := range before.refs {
		if stays := contains(now.refs, row); !stays || renamed {
			touched.add(row)
			if !stays {
				delete(s.of[row], sharer)
			}
			if len(s.of[row]) == 0 {
				delete(s.of, row)
			}
		}
	}
	for _, row := range now.refs {
		if s.of[row] == nil {
			s.of[row] = set{}
		}
		if !s.of[row].has(sharer) {
			s.of[row].add(sharer)
			touched.add(row)
		}
	}
	if len(now.refs) == 0 {
		delete(s.lists, sharer)
		return
	}
	s.lists[sharer] = now
}

func contains(sorted []ovsdb.UUID, id ovsdb.UUID) bool {
	_, found := slices.BinarySearchFunc(sorted, id, ovsdb.UUID.Compare)
	return found
}
