// Package plan holds the difference between what must be and what is: keyed differences, steps, and the text form of
// a plan. It does nothing itself; package reconcile decides which steps run and when. Start at Step.
package plan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
)

// Verb is what a step does to its object.
type Verb string

// The verbs. Adopt re-marks an object as ours and changes nothing in where packets go, so a failed Adopt takes no
// address away.
const (
	Create Verb = "create"
	Update Verb = "update"
	Adopt  Verb = "adopt"
	Delete Verb = "delete"
)

// A Step is one change to one object.
type Step struct {
	Verb Verb
	// Object names the object in its subsystem's own words: "route 203.0.113.9/32 dev br-ex table 10".
	Object string
	// Why is the reason in a sentence an operator can read.
	Why string
	// Serves lists the announcement keys the object carries or announces ("bgp-vrf 203.0.113.9/32"); nil means
	// all of them.
	Serves []string
	// Last is set on a step of an announcer that changes by what a key is told, and not whether it is: it waits until no
	// announcer has anything else to do.
	Last bool
	// Free is set on a delete that serves no key and depends on nothing that OVN says: it need not wait for a database that
	// cannot be read.
	Free bool
	// Do makes the change. It resolves names when called, so a step may be planned before what it builds on is
	// there. Deleting what is absent is success.
	Do func(context.Context) error
}

// String returns "create route 203.0.113.9/32 dev br-ex table 10".
func (s Step) String() string { return string(s.Verb) + " " + s.Object }

// ServesKey tells whether the step's object serves the key.
func (s Step) ServesKey(key string) bool {
	return s.Serves == nil || slices.Contains(s.Serves, key)
}

// Sort sorts steps by their objects.
func Sort(steps []Step) {
	slices.SortFunc(steps, func(a, b Step) int { return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Verb, b.Verb)) })
}

// Write prints one line a step, the reason behind it.
func Write(w io.Writer, steps []Step) error {
	for _, s := range steps {
		line := s.String()
		if s.Why != "" {
			line += "  # " + s.Why
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// Difference is one key of Differences: what is wanted and what is there, each the zero value when it is not.
type Difference[K comparable, W, H any] struct {
	Key           K
	Want          W
	Have          H
	Wanted, There bool
}

// Differences lists, in the order of keys, what only one of two keyed sets has, and what both have and is not the same. Most
// is the same each time: that costs no memory and is not sorted.
func Differences[K comparable, W, H any](
	want map[K]W, have map[K]H, order func(a, b K) int, same func(W, H) bool,
) []Difference[K, W, H] {
	var list []Difference[K, W, H]
	for k, w := range want {
		h, there := have[k]
		if !there || !same(w, h) {
			list = append(list, Difference[K, W, H]{Key: k, Want: w, Have: h, Wanted: true, There: there})
		}
	}
	for k, h := range have {
		if _, wanted := want[k]; !wanted {
			list = append(list, Difference[K, W, H]{Key: k, Have: h, There: true})
		}
	}
	slices.SortFunc(list, func(a, b Difference[K, W, H]) int { return order(a.Key, b.Key) })
	return list
}
