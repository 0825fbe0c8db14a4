package agent

import (
	"context"
	"fmt"
	"log/slog"

	"ovnbgp/internal/status"
)

// reportReady tells the service manager when the agent has done what could be done, and what its verdict is whenever
// that changes. It does not wait for every subsystem: an FRR that is started after the agent would never be.
func (a *Agent) reportReady(ctx context.Context) error {
	var last status.Report
	told, spoken := false, false
	for {
		report := a.report()
		spoken = spoken || a.keepBoot(report)
		state := ""
		if report.Synced && !told {
			told, state = true, "READY=1\n"
			a.log.Info("ready", slog.Int("announced", len(report.Announced)))
		}
		if report.Verdict != last.Verdict || report.Text != last.Text || state != "" {
			if err := notifySystemd(fmt.Sprintf("%sSTATUS=%s: %s", state, report.Verdict, report.Text)); err != nil {
				a.log.Warn("service manager cannot be told", slog.Any("err", err))
			}
			last = report
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.loop.Reported():
		}
	}
}
