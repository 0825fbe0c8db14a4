package e2e

import (
	"fmt"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdHeld waits until the guard of a node holds that many withdrawals, and keeps their hash for "$HASH": "held
// compute1 12". With "none" it must hold none now.
func (s *stage) cmdHeld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: held NODE COUNT|none")
	}
	if args[1] == "none" {
		report, err := s.status(args[0])
		ts.Check(err)
		if report.Held != nil {
			ts.Fatalf("%s holds %+v", args[0], *report.Held)
		}
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
