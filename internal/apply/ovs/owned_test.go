package ovs

import (
	"testing"

	"ovnbgp/internal/client/openflow"
)

func TestOwned(t *testing.T) {
	for cookie, want := range map[uint64]bool{999: true, 998: true, 0: false, 1000: false, 997: false,
		999 << 32: false, 1<<63 | 999: false} {
		if got := owned(openflow.Flow{Cookie: cookie}); got != want {
			t.Errorf("owned(cookie %#x) = %t", cookie, got)
		}
	}
}
