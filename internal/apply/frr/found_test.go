package frr_test

import (
	"context"
	"testing"
	"time"

	"ovnbgp/internal/apply/frr"
	fake "ovnbgp/internal/fake/frr"
)

// A round that follows a good look asks FRR nothing; what happens to FRR ends that at once, and so does Reread.
func TestAGoodLookIsBelieved(t *testing.T) {
	b := fake.Start(t)
	b.Type(operators...)
	b.SetVRF(vrf)
	a := frr.New(frr.Options{Sockets: b.Dir, AS: 64999, VRF: vrf, Interval: 20 * time.Millisecond})
	t.Cleanup(func() { _ = a.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })

	within(t, "the leak is not made", func() bool {
		steps, err := a.Plan(ctx, want())
		return err == nil && do(ctx, steps) == nil && len(steps) == 0
	})
	// A bgpd that works answers nobody; Plan must not need it. Run's first look, which is news, may come in between.
	within(t, "Plan asks FRR though it has just looked", func() bool {
		if _, err := a.Plan(ctx, want()); err != nil {
			return false
		}
		b.Freeze()
		defer b.Thaw()
		quick, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		defer stop()
		steps, err := a.Plan(quick, want())
		return err == nil && len(steps) == 0
	})

	b.Type("router bgp 64999", "address-family ipv4 unicast", "no import vrf "+vrf)
	within(t, "a stranger's change is not seen", func() bool {
		steps, err := a.Plan(ctx, want())
		return err == nil && len(steps) == 1 && do(ctx, steps) == nil
	})
	b.Down()
	within(t, "an FRR that is down is believed to be well", func() bool {
		_, err := a.Plan(ctx, want())
		return err != nil
	})
}

func within(t *testing.T, complaint string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}
