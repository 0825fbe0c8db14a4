package reconcile

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
)

// A remark is told when it appears, and again when it comes back; not round after round.
func TestRemarksAreToldOnce(t *testing.T) {
	var log bytes.Buffer
	b := newBooks(logTo(&log), metrics.NewReconcile(prometheus.NewRegistry()), "OVN_Northbound")
	bad := func(n int) (list []model.Decision) {
		for i := range n {
			list = append(list, model.Decision{Reason: "bad-value", Row: fmt.Sprintf("NAT %d", i), Text: "odd"})
		}
		return append(list, model.Decision{Address: netip.MustParseAddr("203.0.113.9"), Reason: "port-up", Row: "Logical_Switch_Port 1"})
	}
	for _, tt := range []struct{ bad, listed, more, lines int }{
		{0, 0, 0, 0}, {1, 1, 0, 1}, {1, 1, 0, 0}, {2, 2, 0, 1}, {1, 1, 0, 0}, {2, 2, 0, 1}, {0, 0, 0, 0},
		{maxRemarks + 3, maxRemarks, 3, maxWarnings + 1}, {maxRemarks + 3, maxRemarks, 3, 0},
	} {
		log.Reset()
		list, more := b.remark(bad(tt.bad))
		if lines := strings.Count(log.String(), "\n"); len(list) != tt.listed || more != tt.more || lines != tt.lines {
			t.Errorf("%+v: %d listed and %d more, the log says\n%s", tt, len(list), more, log.String())
		}
	}
}
