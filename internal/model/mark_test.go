package model_test

import (
	"net/netip"
	"testing"

	"ovnbgp/internal/model"
)

func TestVLANDevice(t *testing.T) {
	for _, c := range []struct {
		bridge string
		tag    int
		want   string
	}{{"br-ex", 100, "br-ex.100"}, {"br-provider-long", 4094, "br-provide.4094"}} {
		if got := model.VLANDevice(c.bridge, c.tag); got != c.want || len(got) > 15 {
			t.Errorf("%s, %d: %s, want %s", c.bridge, c.tag, got, c.want)
		}
	}
}

// The numbers are the old agent's: they were read off its devices.
func TestAnsweringAddresses(t *testing.T) {
	for _, c := range []struct {
		index, tag int
		v4, v6     string
	}{
		{1, 0, "169.254.1.1", "fd53:d91e:400:7f17::1:1"},
		{2, 100, "169.254.2.100", "fd53:d91e:400:7f17::2:64"},
		{1, 4094, "169.254.1.254", "fd53:d91e:400:7f17::1:fe"},
		{300, 513, "169.254.44.1", "fd53:d91e:400:7f17::12c:1"},
		{300, 300, "169.254.44.44", "fd53:d91e:400:7f17::12c:2c"},
		{300, 0, "169.254.44.44", "fd53:d91e:400:7f17::12c:12c"},
	} {
		got := model.AnsweringAddresses(c.index, c.tag)
		if got[0] != netip.MustParseAddr(c.v4) || got[1] != netip.MustParseAddr(c.v6) {
			t.Errorf("%d, %d: %v, want %s and %s", c.index, c.tag, got, c.v4, c.v6)
		}
		for _, a := range got {
			if !model.IsAnsweringAddress(netip.PrefixFrom(a, a.BitLen())) {
				t.Errorf("%s is not found again", a)
			}
		}
	}
	for _, other := range []string{"169.254.1.1/16", "169.253.1.1/32", "fd53:d91e:400:7f17::1/64", "fd53:d91e:400:7f18::1/128"} {
		if model.IsAnsweringAddress(netip.MustParsePrefix(other)) {
			t.Errorf("%s is taken for ours", other)
		}
	}
}

func TestEarlierAnsweringAddress(t *testing.T) {
	for index, want := range map[int][2]string{1: {"169.254.0.1", "fd53:d91e:400:7f17::1"}, 12: {"169.254.0.12", "fd53:d91e:400:7f17::c"}} {
		for i, a := range model.AnsweringAddresses(index, 0) {
			if got := model.EarlierAnsweringAddress(a).String(); got != want[i] {
				t.Errorf("before %s: %s, want %s", a, got, want[i])
			}
		}
	}
}
