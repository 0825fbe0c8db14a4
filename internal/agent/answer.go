package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ovnbgp/internal/desired"
	"ovnbgp/internal/explain"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/source/host"
	"ovnbgp/internal/status"
)

// Status is the report of the last round, and what came of the last reload.
func (a *Agent) Status(ctx context.Context) (status.Report, error) {
	report := a.report()
	report.Remarks = append(slices.Clip(report.Remarks), a.node.leftInFRR(ctx)...)
	report.Learned = a.node.learned(ctx)
	report.Remarks = append(report.Remarks, report.Learned.Remarks(takesDefault(a.node.source.config.Load().BGP))...)
	if report.Peers = a.node.sessions(ctx); len(report.Peers) > 0 {
		report.Judge()
	}
	return report, nil
}

// report is all of the status but the neighbours and what they tell, on which nothing in it depends: it is asked for at each
// scrape.
func (a *Agent) report() status.Report {
	report := a.loop.Status()
	report.Speaker = a.node.speakerText()
	report.Refused = a.reloads.refused()
	report.Remarks = append(slices.Clip(report.Remarks), a.reloads.remarks()...)
	// What cannot be read closes the gate, which the report tells.
	report.DrainedSince, _ = host.DrainedSince(a.wired.Paths.DrainFile)
	for _, d := range a.node.frr.Remarks() {
		report.Remarks = append(slices.Clip(report.Remarks), status.Remark{Reason: d.Reason, Row: d.Row, Text: d.Text, Fix: d.Fix})
	}
	for _, f := range a.node.frr.Findings() {
		report.Remarks = append(slices.Clip(report.Remarks), status.Remark{Reason: "frr", Row: "FRR " + f.Where, Text: f.Text, Fix: f.Fix})
	}
	if report.Refused != nil || !report.DrainedSince.IsZero() {
		report.Judge()
	}
	return report
}

// Plan is what a round would do now.
func (a *Agent) Plan(ctx context.Context) (plan.Preview, error) { return a.loop.Plan(ctx) }

// Sync reads everything anew and runs a round; with a hash it first releases what is held under it.
func (a *Agent) Sync(ctx context.Context, accept string) error {
	if accept != "" {
		if err := a.loop.AcceptWithdrawals(ctx, accept); err != nil {
			return err
		}
	}
	return a.loop.Sync(ctx)
}

// Snapshot is all that decisions depend on.
func (a *Agent) Snapshot(ctx context.Context) (json.RawMessage, error) {
	input, err := a.node.source.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(input.Input)
}

// explainLimit is how long the whole of a central database may take to be read for one question.
const explainLimit = time.Minute

// Explain says why an address is, or is not, announced here.
func (a *Agent) Explain(ctx context.Context, address string) (explain.Answer, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return explain.Answer{}, fmt.Errorf("%q is not an IP address", address)
	}
	addr = addr.Unmap() // "::ffff:203.0.113.9" is how some tools write an IPv4 address
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	input, err := a.node.source.Snapshot(ctx)
	if err != nil {
		return explain.Answer{}, fmt.Errorf("what OVN says cannot be told now: %w", err)
	}
	key := desired.Why(input.Input, input.Config, addr).Key
	outcome, err := a.outcome(ctx, input, key)
	if err != nil {
		return explain.Answer{}, err
	}
	if input.OVN, err = a.node.knowing(ctx, input, addr); err != nil {
		return explain.Answer{}, fmt.Errorf("the rest of the central database cannot be read now: %w", err)
	}
	return explain.Address(input.Input, input.Config, addr, outcome), nil
}

// outcome gathers how the objects of one announcement fare: what a round would still do for it is not in place.
func (a *Agent) outcome(ctx context.Context, input roundInput, key string) (*explain.Status, error) {
	preview, err := a.loop.Plan(ctx)
	if err != nil {
		return nil, err
	}
	report := a.loop.Status()
	announced := slices.Contains(report.Announced, key)
	outcome := &explain.Status{Announced: &announced}
	if announced {
		outcome.Fabric = a.node.fabric(ctx, key)
	}
	for _, s := range preview.Steps {
		if s.Verb != plan.Delete && (s.Serves == nil || slices.Contains(s.Serves, key)) {
			outcome.Objects = append(outcome.Objects, explain.Object{Text: s.Object, State: "not in place",
				Error: troubleOf(report, s)})
		}
	}
	if report.Held != nil {
		for _, h := range report.Held.Keys {
			if h.Key == key {
				outcome.Held = h.Text
			}
		}
	}
	if len(outcome.Objects) > 0 {
		return outcome, nil
	}
	state, _ := desired.Node(input.Input, input.Config)
	for _, text := range state.Serving(key) {
		outcome.Objects = append(outcome.Objects, explain.Object{Text: text, OK: true, State: "in place"})
	}
	return outcome, nil
}

// troubleOf finds the error of the last try of a planned step.
func troubleOf(report status.Report, s plan.Planned) string {
	for _, t := range report.Troubles {
		if t.Subsystem == s.Subsystem && t.Object == s.Object {
			return t.Err
		}
	}
	return ""
}
