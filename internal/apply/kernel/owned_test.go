package kernel

import (
	"net/netip"
	"testing"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

// ownedView is a node with br-ex mapped to table 201, br-old mapped no more, and eth0.
func ownedView() *view {
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	return newView(netlink.Actual{
		Links: []netlink.Link{
			{Index: 1, Name: "br-ex"}, {Index: 2, Name: "br-ex.7", Kind: "vlan", Parent: 1, VLAN: 7}, {Index: 3, Name: "eth0"},
			{Index: 4, Name: "br-old"}, {Index: 5, Name: "bgp-nic", Kind: "dummy"},
			{Index: 6, Name: "br-ex.8", Kind: "vlan", Parent: 1, VLAN: 8}, {Index: 7, Name: "br-gone.9", Kind: "vlan", VLAN: 9, Alias: alias},
		},
		Addrs:  []netlink.Addr{{LinkIndex: 2, Prefix: netip.MustParsePrefix("169.254.1.7/32")}},
		Routes: []netlink.Route{{Table: 300, Dst: any4, LinkIndex: 4, Protocol: model.Protocol}},
	}, model.Node{
		VRF:     model.VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"},
		Bridges: []model.Bridge{{Name: "br-ex", Table: 201}},
	})
}

func TestOwnedRule(t *testing.T) {
	dst := netip.MustParsePrefix("203.0.113.9/32")
	for name, c := range map[string]struct {
		rule netlink.Rule
		want bool
	}{
		"ours":                          {netlink.Rule{Priority: 32000, Dst: dst, Table: 201, Protocol: 179}, true},
		"ours, table not known":         {netlink.Rule{Priority: 32000, Dst: dst, Table: 7, Protocol: 179}, true},
		"the old agent's":               {netlink.Rule{Priority: 32000, Dst: dst, Table: 201}, true},
		"the old agent's, boot":         {netlink.Rule{Priority: 32000, Dst: dst, Table: 201, Protocol: 3}, true},
		"another priority":              {netlink.Rule{Priority: 31999, Dst: dst, Table: 201}, false},
		"another table":                 {netlink.Rule{Priority: 32000, Dst: dst, Table: 202}, false},
		"no destination":                {netlink.Rule{Priority: 32000, Table: 201}, false},
		"any destination":               {netlink.Rule{Priority: 32000, Dst: netip.MustParsePrefix("0.0.0.0/0"), Table: 201}, false},
		"more selectors":                {netlink.Rule{Priority: 32000, Dst: dst, Table: 201, Extra: "000a=07"}, false},
		"more selectors, our protocol":  {netlink.Rule{Priority: 32000, Dst: dst, Table: 201, Protocol: 179, Extra: "x"}, false},
		"the kernel's, for VRF devices": {netlink.Rule{Priority: 1000, Protocol: 2, Extra: "l3mdev"}, false},
	} {
		if got := ownedView().ownedRule(c.rule); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedRoute(t *testing.T) {
	for name, c := range map[string]struct {
		route netlink.Route
		want  bool
	}{
		"ours":                        {netlink.Route{Table: 201, Protocol: 179}, true},
		"ours, table not known":       {netlink.Route{Table: 7, Protocol: 179}, true},
		"the old agent's":             {netlink.Route{Table: 201, Protocol: netlink.ProtoBoot}, true},
		"boot in main":                {netlink.Route{Table: netlink.TableMain, Protocol: netlink.ProtoBoot}, false},
		"static in a bridge's table":  {netlink.Route{Table: 201, Protocol: netlink.ProtoStatic}, false},
		"kernel's in bridge's table":  {netlink.Route{Table: 201, Protocol: netlink.ProtoKernel}, false},
		"zebra's in a bridge's table": {netlink.Route{Table: 201, Protocol: 186}, false},
		"boot in the VRF's table":     {netlink.Route{Table: 10, Protocol: netlink.ProtoBoot}, false},
		"ours in the VRF's table":     {netlink.Route{Table: 10, LinkIndex: 1, Protocol: model.Protocol}, true},
		"an announced subnet":         {netlink.Route{Table: 10, LinkIndex: 5, Protocol: model.Protocol}, false},
	} {
		if got := ownedView().ownedRoute(c.route); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedNeighbor(t *testing.T) {
	for name, c := range map[string]struct {
		neighbor netlink.Neighbor
		want     bool
	}{
		"ours":                             {netlink.Neighbor{LinkIndex: 1, Protocol: 179}, true},
		"ours elsewhere":                   {netlink.Neighbor{LinkIndex: 3, Protocol: 179}, true},
		"the old agent's":                  {netlink.Neighbor{LinkIndex: 1}, true},
		"the old agent's on a VLAN device": {netlink.Neighbor{LinkIndex: 2}, true},
		"on a bridge known by our route":   {netlink.Neighbor{LinkIndex: 4}, true},
		"without protocol elsewhere":       {netlink.Neighbor{LinkIndex: 3}, false},
		"zebra's":                          {netlink.Neighbor{LinkIndex: 1, Protocol: 186}, false},
	} {
		if got := ownedView().ownedNeighbor(c.neighbor); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedAddr(t *testing.T) {
	for name, c := range map[string]struct {
		link   int
		prefix string
		want   bool
	}{
		"on the bridge":               {1, "169.254.1.1/32", true},
		"on the bridge, IPv6":         {1, "fd53:d91e:400:7f17::1:1/128", true},
		"on a VLAN device":            {2, "169.254.1.7/32", true},
		"on a bridge mapped no more":  {4, "169.254.2.2/32", true},
		"on eth0":                     {3, "169.254.1.1/32", false},
		"on bgp-nic":                  {5, "169.254.1.1/32", false},
		"a network":                   {1, "169.254.1.1/16", false},
		"another address":             {1, "203.0.113.9/32", false},
		"a link-local one":            {1, "fe80::1/128", false},
		"another network of the kind": {1, "fd53:d91e:400:7f18::1/128", false},
	} {
		a := netlink.Addr{LinkIndex: c.link, Prefix: netip.MustParsePrefix(c.prefix)}
		if got := ownedView().ownedAddr(a); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedAnnouncement(t *testing.T) {
	for name, c := range map[string]struct {
		link   int
		prefix string
		want   bool
	}{
		"a host":           {5, "203.0.113.9/32", true},
		"a host, IPv6":     {5, "2001:db8::9/128", true},
		"on another link":  {1, "203.0.113.9/32", false},
		"a network":        {5, "203.0.113.9/24", false},
		"link-local":       {5, "169.254.1.1/32", false},
		"link-local, IPv6": {5, "fe80::1/64", false},
	} {
		a := netlink.Addr{LinkIndex: c.link, Prefix: netip.MustParsePrefix(c.prefix)}
		if got := ownedAnnouncement(a, 5); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedSubnet(t *testing.T) {
	net, via := netip.MustParsePrefix("10.7.0.0/24"), netip.MustParseAddr("203.0.113.2")
	for name, c := range map[string]struct {
		route netlink.Route
		want  bool
	}{
		"ours":                            {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Protocol: model.Protocol}, true},
		"the old agent's":                 {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Gateway: via, Protocol: netlink.ProtoBoot}, true},
		"boot without a gateway":          {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Protocol: netlink.ProtoBoot}, false},
		"on another device":               {netlink.Route{Table: 10, LinkIndex: 1, Dst: net, Protocol: model.Protocol}, false},
		"in another table":                {netlink.Route{Table: 201, LinkIndex: 5, Dst: net, Protocol: model.Protocol}, false},
		"the kernel's, of an address":     {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Protocol: netlink.ProtoKernel}, false},
		"an operator's":                   {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Protocol: netlink.ProtoStatic}, false},
		"zebra's":                         {netlink.Route{Table: 10, LinkIndex: 5, Dst: net, Gateway: via, Protocol: 186}, false},
		"the default route, by a gateway": {netlink.Route{Table: 10, LinkIndex: 5, Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: via, Protocol: netlink.ProtoBoot}, false},
	} {
		if got := ownedSubnet(c.route, 5, 10); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOwnedLink(t *testing.T) {
	v := ownedView()
	want := map[string]bool{
		"br-ex":     false,
		"br-ex.7":   true,  // by its address
		"br-ex.8":   false, // without one
		"br-gone.9": true,  // by its alias
		"eth0":      false,
		"bgp-nic":   false,
	}
	for name, owned := range want {
		if got := v.ownedLink(v.byName[name]); got != owned {
			t.Errorf("%s: %v, want %v", name, got, owned)
		}
	}
	renamed := v.byName["br-ex.7"]
	renamed.Name = "storage"
	if v.ownedLink(renamed) {
		t.Error("a VLAN device of another name counts as ours")
	}
}

// A VLAN device on a VLAN device is nobody's business here, in whatever order the kernel lists them.
func TestVLANOnVLANIsNotOurs(t *testing.T) {
	bridge := netlink.Link{Index: 1, Name: "br-ex"}
	tagged := netlink.Link{Index: 2, Name: "br-ex.100", Kind: "vlan", Parent: 1, VLAN: 100}
	nested := netlink.Link{Index: 3, Name: "br-ex.100.7", Kind: "vlan", Parent: 2, VLAN: 7}
	for _, links := range [][]netlink.Link{{bridge, tagged, nested}, {bridge, nested, tagged}} {
		v := newView(netlink.Actual{Links: links}, model.Node{Bridges: []model.Bridge{{Name: "br-ex", Table: 201}}})
		if !v.ownedNeighbor(netlink.Neighbor{LinkIndex: 2}) {
			t.Error("what the old agent left on br-ex.100 is not ours")
		}
		if v.ownedNeighbor(netlink.Neighbor{LinkIndex: 3}) {
			t.Error("a neighbour on br-ex.100.7 is ours")
		}
	}
}
