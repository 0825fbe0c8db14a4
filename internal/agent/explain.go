package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ovnbgp/internal/desired"
	"ovnbgp/internal/explain"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// explainLimit is how long the whole of a central database may take to be read for one question.
const explainLimit = time.Minute

// Explain says why an address is, or is not, announced here.
func (a *Agent) Explain(ctx context.Context, address string) (explain.Answer, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return explain.Answer{}, fmt.Errorf("%q is not an IP address", address)
	}
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	return a.node.explain(ctx, addr, func(ctx context.Context) (foreseen, error) {
		preview, err := a.loop.Plan(ctx)
		report := a.loop.Status()
		return foreseen{preview, &report}, err
	})
}

// Explain answers where no agent runs, read only. Announced is then what an agent left for FRR to announce; what the guard
// holds, and how a step failed, only an agent knows.
func Explain(ctx context.Context, o Options, address netip.Addr) (explain.Answer, error) {
	settings, err := load(o)
	if err != nil {
		return explain.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience+explainLimit)
	defer cancel()
	var answer explain.Answer
	err = withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		if err := n.waitInSync(ctx, o.Progress); err != nil {
			return err
		}
		answer, err = n.explain(ctx, address, func(ctx context.Context) (foreseen, error) {
			preview, err := n.planOnce(ctx, settings, o)
			return foreseen{Preview: preview}, err
		})
		return err
	})
	return answer, err
}

// foreseen is what a round would do now, and what an agent knows of those before: nil where none runs.
type foreseen struct {
	plan.Preview
	report *status.Report
}

func (n *node) explain(ctx context.Context, addr netip.Addr, ask func(context.Context) (foreseen, error)) (explain.Answer, error) {
	addr = addr.Unmap() // "::ffff:203.0.113.9" is how some tools write an IPv4 address
	input, err := n.source.Snapshot(ctx)
	if err != nil {
		return explain.Answer{}, fmt.Errorf("what OVN says cannot be told now: %w", err)
	}
	now, err := ask(ctx)
	if err != nil {
		return explain.Answer{}, err
	}
	outcome := n.outcome(ctx, input, desired.Why(input.Input, input.Config, addr), now)
	if input.OVN, err = n.knowing(ctx, input, addr); err != nil {
		return explain.Answer{}, fmt.Errorf("the rest of the central database cannot be read now: %w", err)
	}
	return explain.Address(input.Input, input.Config, addr, outcome), nil
}

// outcome gathers how the objects of one announcement fare: what a round would still do for it is not in place.
func (n *node) outcome(ctx context.Context, input roundInput, d model.Decision, now foreseen) *explain.Status {
	outcome := &explain.Status{Unread: now.Unread}
	for _, s := range now.Steps {
		if s.Verb != plan.Delete && (s.Serves == nil || slices.Contains(s.Serves, d.Key)) {
			outcome.Objects = append(outcome.Objects, explain.Object{Text: s.Object, State: "not in place", Error: now.troubleOf(s)})
		}
	}
	if told, err := n.told(ctx, now); err == nil {
		announced := slices.Contains(told, d.Key)
		outcome.Announced, outcome.Held = &announced, now.held(d.Key)
		if announced {
			outcome.Fabric = n.fabric(ctx, d.Key)
		}
	}
	if len(outcome.Objects) > 0 || len(now.Unread) > 0 {
		return outcome
	}
	state, _ := desired.Node(input.Input, input.Config)
	for _, text := range state.Serving(d.Key) {
		outcome.Objects = append(outcome.Objects, explain.Object{Text: text, OK: true, State: "in place"})
	}
	return outcome
}

// told are the keys that the world is told: as the agent says or, where none runs, what one left for FRR to announce.
func (n *node) told(ctx context.Context, now foreseen) ([]string, error) {
	switch {
	case now.report != nil:
		return now.report.Announced, nil
	case n.embedded():
		return nil, nil // who spoke has ended
	}
	return n.addresses.Announced(ctx)
}

// troubleOf finds the error of the last try of a planned step.
func (r foreseen) troubleOf(s plan.Planned) string {
	if r.report == nil {
		return ""
	}
	for _, t := range r.report.Troubles {
		if t.Subsystem == s.Subsystem && t.Object == s.Object {
			return t.Err
		}
	}
	return ""
}

// held says why the guard keeps an announcement; "" when it does not.
func (r foreseen) held(key string) string {
	if r.report != nil && r.report.Held != nil {
		for _, h := range r.report.Held.Keys {
			if h.Key == key {
				return h.Text
			}
		}
	}
	return ""
}
