package speaker

import (
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/server"
)

// TestStopLeavesNothing: a speaker that has ended has ended all of GoBGP, and says nothing of having done so twice.
func TestStopLeavesNothing(t *testing.T) {
	var log strings.Builder
	s := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Port: -1})
	for _, id := range []string{"10.0.0.1", "10.0.0.2"} {
		g := Global{AS: 64999, RouterID: netip.MustParseAddr(id)}
		if err := s.Start(t.Context(), g, func(*server.BgpServer) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, of := range []string{"bfdServer).loop", "BgpServer).Serve"} {
		if strings.Contains(string(stacks), of) {
			t.Errorf("%s still runs", of)
		}
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
}
