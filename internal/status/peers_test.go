package status

import (
	"bytes"
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// TestPeerDown: the table says why a neighbour is down; a warning of the speaker comes first.
func TestPeerDown(t *testing.T) {
	var out bytes.Buffer
	writePeers(&out, Report{Peers: []model.Session{{Name: "leaf1", State: "active", LastError: "connection refused"},
		{Name: "leaf2", State: "idle", LastError: "ended", Warning: "in our own AS"}}})
	for _, want := range []string{"last error: connection refused\n", "in our own AS\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
