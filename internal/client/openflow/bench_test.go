package openflow_test

import (
	"testing"

	. "ovnbgp/internal/client/openflow"
	"ovnbgp/internal/client/openflow/openflowtest"
)

func BenchmarkBundle(b *testing.B) {
	sw := openflowtest.Start(b)
	sw.AddBridge(b, "br0")
	c := dial(b, sw, "br0", Options{})
	flows := make([]Change, 100)
	for i := range flows {
		flows[i] = Add(tweak(b, IPv4, uint32(i+1)))
	}
	b.Run("apply100", func(b *testing.B) {
		for b.Loop() {
			if err := c.Apply(b.Context(), flows...); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read100", func(b *testing.B) {
		for b.Loop() {
			if fs, err := c.Flows(b.Context(), ours, 1<<64-1); err != nil || len(fs) != 100 {
				b.Fatal(len(fs), err)
			}
		}
	})
}
