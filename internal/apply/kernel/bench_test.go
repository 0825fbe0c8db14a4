package kernel_test

import (
	"fmt"
	"testing"

	"ovnbgp/internal/apply/kernel"
	fakekernel "ovnbgp/internal/fake/kernel"
)

// BenchmarkIdlePlan plans for 10,000 addresses that are all in place: the price of a round with nothing to do.
func BenchmarkIdlePlan(b *testing.B) {
	k := fakekernel.New()
	k.AddBridge("br-ex", brMAC)
	want := base()
	for i := range 10000 {
		port(&want, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), brMAC, "br-ex")
	}
	if _, errs := round(b.Context(), k, want); errs != nil {
		b.Fatal(errs)
	}
	c := kernel.NewCarriers(k)
	for b.Loop() {
		if steps, err := c.Plan(b.Context(), want); err != nil || len(steps) != 0 {
			b.Fatal(len(steps), err)
		}
	}
}
