package agent

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the carriers and the addresses write over netlink is counted apart: each is a subsystem of its own.
func TestWritesAreCountedApart(t *testing.T) {
	w := newWorld(t, "")
	s, err := load(w.options)
	if err != nil {
		t.Fatal(err)
	}
	n, err := connect(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	up := []string{"net", "ipv4", "conf", "lo", "forwarding"}
	for _, write := range []func(string, ...string) error{n.conn.SetSysctl, n.teller.SetSysctl, n.teller.SetSysctl} {
		if err := write("1", up...); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]uint64{"kernel": 1, s.Node.NIC: 2, "ovs": 0, "frr": 0}
	if d := cmp.Diff(want, n.writes.bySubsystem()); d != "" {
		t.Errorf("writes (-want +got):\n%s", d)
	}
}
