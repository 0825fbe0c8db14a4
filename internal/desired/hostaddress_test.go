package desired

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// While OVN cannot be read, the host's own addresses follow the host; one whose check has not ended stays as it was, and so
// does all that is OVN's.
func TestHostAddressesWithoutOVN(t *testing.T) {
	c := configured()
	low := uint32(1)
	c.BGP.ByKind[model.KindHost] = model.Attributes{LocalPreference: &low}
	checked := config.Check{TCP: "127.0.0.1:80"}
	at := func(text string) netip.Addr { return netip.MustParseAddr(text) }
	c.HostAddresses = []config.HostAddress{{Name: "api", Address: at("192.0.2.100")},
		{Name: "db", Address: at("192.0.2.101"), Check: checked}, {Name: "web", Address: at("192.0.2.102"), Check: checked}}
	host := func(list ...model.HostAddress) model.Host { return model.Host{Addresses: list} }
	announced := func(n model.Node) string {
		var list []string
		for _, a := range n.Announcements {
			list = append(list, a.Prefix.Addr().String()+" "+a.Device)
		}
		return strings.Join(list, ", ")
	}
	before := HostAddresses(model.Node{Announcements: []model.Announcement{
		{VRF: c.VRF, Prefix: netip.MustParsePrefix("192.0.2.102/32"), Device: "br-ex", Kinds: []model.Kind{model.KindPort}},
		{VRF: c.VRF, Prefix: netip.MustParsePrefix("203.0.113.1/32"), Device: "br-ex", Kinds: []model.Kind{model.KindPort}}}},
		host(model.HostAddress{Address: at("192.0.2.101"), Device: "vip0", Health: model.Passing},
			model.HostAddress{Address: at("192.0.2.102"), Device: "vip0", Health: model.Passing}), c)
	if a := before.Announcements[0]; !a.AsRoute || a.Attributes.LocalPreference == nil || *a.Attributes.LocalPreference != 1 {
		t.Errorf("announced: %+v", a)
	}
	for name, tt := range map[string]struct {
		host model.Host
		want string
	}{
		"as before": {host(model.HostAddress{Address: at("192.0.2.101"), Device: "vip0", Health: model.Passing}),
			"192.0.2.101 vip0, 192.0.2.102 br-ex, 203.0.113.1 br-ex"},
		"one went, one came": {host(model.HostAddress{Address: at("192.0.2.100"), Device: "eth0"}),
			"192.0.2.100 eth0, 192.0.2.102 br-ex, 203.0.113.1 br-ex"},
		"failing": {host(model.HostAddress{Address: at("192.0.2.101"), Device: "vip0", Health: model.Failing}),
			"192.0.2.102 br-ex, 203.0.113.1 br-ex"},
		"not known yet": {host(model.HostAddress{Address: at("192.0.2.101"), Device: "vip0", Health: model.HealthUnknown}),
			"192.0.2.101 vip0, 192.0.2.102 br-ex, 203.0.113.1 br-ex"},
	} {
		text := announced(before)
		if d := cmp.Diff(tt.want, announced(HostAddresses(before, tt.host, c))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if announced(before) != text {
			t.Errorf("%s: the state was changed", name)
		}
	}
}
