package agent

import (
	"context"
	"encoding/json"
	"slices"

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
