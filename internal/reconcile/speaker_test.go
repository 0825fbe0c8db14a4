package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// speaker is the applier of a speaker in the agent's process, which begins with nothing: paths come first, its peers after.
// Until then those keep what they heard from the one before it.
type speaker struct {
	paths set
	kept  set // nil: the peers have heard what there is
}

// newSpeaker returns one whose peers keep keys.
func newSpeaker(kept []string) *speaker { return &speaker{paths: set{}, kept: setOf(kept)} }

func (*speaker) Name() string           { return "gobgp" }
func (*speaker) Pokes() <-chan struct{} { return nil }

func (s *speaker) Announced(context.Context) ([]string, error) { return s.paths.sorted(), nil }

// told lists what the peers know.
func (s *speaker) told() []string {
	if s.kept != nil {
		return s.kept.sorted()
	}
	return s.paths.sorted()
}

func (s *speaker) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	var steps []plan.Step
	wanted := setOf(want.Keys())
	for _, k := range wanted.sorted() {
		if !s.paths[k] {
			steps = append(steps, plan.Step{Verb: plan.Create, Object: "path " + k, Serves: []string{k},
				Do: func(context.Context) error { s.paths[k] = true; return nil }})
		}
	}
	if s.kept != nil {
		steps = append(steps, plan.Step{Verb: plan.Create, Object: "peer", Do: func(context.Context) error {
			for k := range wanted {
				if !s.paths[k] {
					return fmt.Errorf("paths come first, and %s is not there yet", k)
				}
			}
			s.kept = nil
			return nil
		}})
	}
	for _, k := range s.paths.sorted() {
		if !wanted[k] {
			steps = append(steps, plan.Step{Verb: plan.Delete, Object: "path " + k, Serves: []string{k},
				Do: func(context.Context) error { delete(s.paths, k); return nil }})
		}
	}
	return steps, nil
}

// announced lists the keys that the kernel has to be announced, or that the speaker built in has.
func (n *node) announced(v view) []string {
	keys := v.announced()
	if n.speaker != nil {
		keys = slices.Concat(keys, slices.Collect(maps.Keys(n.speaker.paths)))
		slices.Sort(keys)
	}
	return slices.Compact(keys)
}

// judgePeers says whether a speaker that has begun with nothing has left out what the guard holds: peers would take that
// for withdrawn. What is held is the loop's word; whether it is held with reason, other tests say.
func (j *judge) judgePeers(s plan.Step, before []string, after set) {
	for _, k := range before {
		if !after[k] && slices.Contains(j.held(), k) {
			j.complain(7, "%s: %s is held, and told no more", s, k)
		}
	}
}
