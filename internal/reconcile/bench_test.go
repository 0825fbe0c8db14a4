package reconcile

import (
	"fmt"
	"testing"
)

// What the loop itself costs in a round that finds nothing to do.
func BenchmarkIdleRound(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d addresses", n), func(b *testing.B) {
			all := make([]string, n)
			for i := range all {
				all[i] = fmt.Sprintf("bgp-vrf 10.%d.%d.%d/32", i>>16, i>>8&255, i&255)
			}
			w := standing(all...)
			l := New(w.options())
			for b.Loop() {
				if err := l.round(b.Context(), arrivals{triggers: []Trigger{Event}}); err != nil {
					b.Fatal(err)
				}
			}
			if len(w.log) > 0 {
				b.Errorf("steps: %v", w.log)
			}
		})
	}
}
