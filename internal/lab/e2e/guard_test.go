package e2e

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/api"
	"ovnbgp/internal/lab"
	"ovnbgp/internal/status"
)

// cmdHeld waits until the guard of a node holds that many withdrawals, and keeps their hash for "$HASH": "held
// compute1 12", or until it holds none: "held compute1 none".
func (s *stage) cmdHeld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: held NODE COUNT|none")
	}
	if args[1] == "none" {
		took, err := s.eventually(func() error {
			report, err := s.status(args[0])
			if err == nil && report.Held != nil {
				err = fmt.Errorf("%s holds %+v", args[0], *report.Held)
			}
			return err
		})
		ts.Check(err)
		ts.Logf("took %.2f s", took.Seconds())
		return
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = s.eventually(func() error {
		report, err := s.status(args[0])
		if err != nil {
			return err
		}
		if report.Held == nil {
			return fmt.Errorf("%s holds nothing (%s: %s)", args[0], report.Verdict, report.Text)
		}
		if got := len(report.Held.Keys); got != want {
			return fmt.Errorf("%s holds %d withdrawals, want %d: %+v", args[0], got, want, report.Held.Keys)
		}
		ts.Setenv("HASH", report.Held.Hash)
		return nil
	})
	ts.Check(err)
}

// release lets go of what a guard holds because the script that ends has removed what it made, and waits until the
// agent has nothing left to do. What is held in doubt comes back by itself.
func (s *stage) release(node lab.Node) error {
	_, err := s.eventually(func() error {
		report, err := s.status(node.Name)
		if err != nil {
			return err
		}
		if report.Held != nil && report.Held.Database == "" && !slices.ContainsFunc(report.Held.Keys, doubtful) {
			client := api.NewClient(node.Path(agentSocket))
			if report, err = client.Sync(s.ctx, api.SyncRequest{AcceptWithdrawals: report.Held.Hash}); err != nil {
				return err
			}
		}
		if report.Verdict != status.OK {
			return fmt.Errorf("agent of %s: %s: %s", node.Name, report.Verdict, report.Text)
		}
		return nil
	})
	return err
}

func doubtful(k status.HeldKey) bool { return k.Class != status.HeldUnexplained }
