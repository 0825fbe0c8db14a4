package e2e

import (
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdClock takes the time from what a script breaks to what it then sees: "clock start", and as often as wanted "clock
// read WHAT GOAL". The report has it beside the goal; nothing is asserted, since all nodes share one processor here.
func (s *stage) cmdClock(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 1 && args[0] == "start":
		s.clock = time.Now()
	case !neg && len(args) == 3 && args[0] == "read" && !s.clock.IsZero():
		figure(args[1], "%.1f s, goal %s", time.Since(s.clock).Seconds(), args[2])
	default:
		ts.Fatalf("usage: clock start, then: clock read WHAT GOAL")
	}
}
