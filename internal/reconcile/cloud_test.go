package reconcile

import (
	"context"
	"fmt"
	"net/netip"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// machine is one address of the cloud and what OVN says of it.
type machine struct {
	ip    netip.Addr
	net   int // index of networks
	mac   int
	state int
}

// States of a machine.
const (
	isHere = iota
	isElsewhere
	isDownHere // down, but its interface is on this node: doubtful
	isDown
	isDeleted
	isDisabled
	machineStates
)

// network is a provider network with the device that leads to it.
type network struct{ name, localnet, device, bridge string }

func networks() []network {
	return []network{
		{"neutron-ext1", "provnet-ext1", "br-ex", "br-ex"},
		{"neutron-ext2", "provnet-ext2", "br-ex.100", "br-ex"},
		{"neutron-ext3", "provnet-ext3", "br-two", "br-two"},
	}
}

// cloud is the input of the property test: a few machines on three provider networks, played by acts.
type cloud struct {
	machines []machine
	lost     bool // the database has no row of them
	ofports  map[string]int
	now      string
	known    string
	away     bool // the source is not in sync
	sync     func()
	pokes    chan struct{}

	routers []router  // with a tenant network each
	tenants []machine // on these networks
	subnets bool      // they are announced as such
	routes  bool      // hosts are announced by routes

	embedded bool // the speaker is the one built in
}

// router is one with a gateway on a provider network, and an interface on a tenant's.
type router struct {
	net      int // of the gateway
	mac      int
	state    int // of the gateway: isHere, isElsewhere, isDownHere for one that nobody claims, isDeleted
	detached bool
}

func (r router) macText() string { return fmt.Sprintf("fa:16:3e:0f:00:%02x", r.mac) }

// gateways are the addresses of a router's gateway, tenantPrefixes the subnets behind it.
func (router) gateways(i int) []netip.Prefix {
	return prefixes(fmt.Sprintf("203.0.113.%d/32", 100+i), fmt.Sprintf("2001:db8::1:%d/128", i))
}

func tenantPrefixes(i int) []netip.Prefix {
	return prefixes([]string{"10.7.0.0/16", "10.8.0.0/24"}[i], fmt.Sprintf("2001:db8:7:%d::/64", i))
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func newCloud(states []int) *cloud {
	c := &cloud{ofports: map[string]int{}, now: "A", known: "A", pokes: make(chan struct{}, 1000)}
	for i, s := range states {
		ip := netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + i)})
		if i%2 == 1 {
			ip = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 10+i))
		}
		c.machines = append(c.machines, machine{ip: ip, net: i % 3, state: s % machineStates})
	}
	for i, n := range networks() {
		c.ofports[n.localnet] = i + 1
	}
	c.routers = []router{{net: 0, mac: 1, state: isElsewhere}, {net: 2, mac: 2, state: isElsewhere}}
	for i := range 4 {
		ip := tenantPrefixes(i % 2)[i/2].Addr().Next().Next()
		c.tenants = append(c.tenants, machine{ip: ip, net: i % 2, state: isElsewhere})
	}
	return c
}

func (m machine) macText() string {
	return fmt.Sprintf("fa:16:3e:00:%02x:%02x", m.mac, m.ip.AsSlice()[m.ip.BitLen()/8-1])
}

func (c *cloud) settings() config.Node {
	n := settings()
	if c.subnets {
		n.TenantMethod = config.TenantSubnet
	}
	if c.routes {
		n.BGP.AnnounceWith = config.AnnounceRoute
	}
	if c.embedded {
		n.BGP.Speaker = config.SpeakerEmbedded
	}
	return n
}

func settings() config.Node {
	return config.Node{ExposeTenantNetworks: true, Driver: config.DriverNB, Method: config.MethodUnderlay, AS: 64999, VRF: "bgp-vrf", VRFTable: 10,
		NIC: "bgp-nic"}
}

func bridgeMAC(bridge string) string {
	return map[string]string{"br-ex": "02:aa:bb:cc:dd:01", "br-two": "02:aa:bb:cc:dd:02"}[bridge]
}

func (c *cloud) Pokes() <-chan struct{} { return c.pokes }

func (c *cloud) Snapshot(context.Context) (desired.Input, error) {
	c.sync()
	if c.away {
		return desired.Input{}, model.ErrNotInSync
	}
	return c.read(), nil
}

// read is what the cloud says, whether it can be asked now or not.
func (c *cloud) read() desired.Input {
	s := ovn.Snapshot{Database: c.now}
	s.Local = ovn.Local{SystemID: "S1", Hostname: "node1", KnownDatabase: c.known,
		Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "one", Bridge: "br-ex"},
			{Index: 2, PhysicalNetwork: "two", Bridge: "br-two"}},
		Bridges: []ovn.Bridge{{Name: "br-ex", MAC: bridgeMAC("br-ex")}, {Name: "br-two", MAC: bridgeMAC("br-two")}}}
	for i, n := range networks() {
		s.Switches = append(s.Switches, &ovn.LogicalSwitch{UUID: n.name, Name: n.name})
		l := &ovn.LogicalSwitchPort{UUID: n.localnet, Name: n.localnet, Switch: n.name, Type: ovn.PortLocalnet,
			PhysicalNetwork: "one"}
		b := &s.Local.Bridges[0]
		switch i {
		case 1:
			l.Tag = 100
		case 2:
			l.PhysicalNetwork, b = "two", &s.Local.Bridges[1]
		}
		s.Ports = append(s.Ports, l)
		b.Ports = append(b.Ports, ovn.OVSPort{Name: "patch-" + n.localnet + "-to-br-int", Type: "patch",
			OFPort: c.ofports[n.localnet]})
	}
	for i, m := range c.machines {
		if m.state == isDeleted || c.lost {
			continue
		}
		p := m.row(fmt.Sprintf("vm%02d", i))
		s.Ports = append(s.Ports, p)
		if m.state == isHere || m.state == isDownHere || m.state == isDisabled {
			s.Local.Interfaces = append(s.Local.Interfaces, p.Name)
		}
	}
	c.readTenants(&s)
	return desired.Input{OVN: s, Host: model.Host{Name: "node1",
		RTTables: []model.RTTable{{ID: 200, Name: "br-ex"}, {ID: 201, Name: "br-two"}}}}
}

// readTenants adds the routers and what is behind them.
func (c *cloud) readTenants(s *ovn.Snapshot) {
	if c.lost {
		return
	}
	for i, r := range c.routers {
		router, ten := fmt.Sprintf("neutron-r%d", i), fmt.Sprintf("neutron-ten%d", i)
		s.Routers = append(s.Routers, &ovn.LogicalRouter{UUID: router, Name: router})
		s.Switches = append(s.Switches, &ovn.LogicalSwitch{UUID: ten, Name: ten})
		up, interfaces := true, tenantPrefixes(i)
		for k, p := range interfaces {
			interfaces[k] = netip.PrefixFrom(p.Addr().Next(), p.Bits())
		}
		s.RouterPorts = append(s.RouterPorts, &ovn.LogicalRouterPort{UUID: "lrp-" + ten, Name: "lrp-" + ten, Router: router,
			Switch: ten, Networks: interfaces})
		if !r.detached {
			s.Ports = append(s.Ports, &ovn.LogicalSwitchPort{UUID: "lsp-" + ten, Name: "lsp-" + ten, Switch: ten,
				Type: ovn.PortRouter, Up: &up, DeviceOwner: "network:router_interface", RouterPort: "lrp-" + ten, CIDRs: interfaces})
		}
		if r.state != isDeleted {
			g := &ovn.LogicalRouterPort{UUID: "gw-" + router, Name: "gw-" + router, Router: router, Gateway: true,
				Switch: networks()[r.net].name, MAC: r.macText(), Networks: r.gateways(i)}
			g.HostingChassis = map[int]string{isHere: "S1", isElsewhere: "S2"}[r.state]
			s.RouterPorts = append(s.RouterPorts, g)
		}
	}
	for i, m := range c.tenants {
		if m.state != isDeleted {
			p := m.row(fmt.Sprintf("tenant%02d", i))
			p.Switch = fmt.Sprintf("neutron-ten%d", m.net)
			s.Ports = append(s.Ports, p)
		}
	}
}

func (m machine) row(name string) *ovn.LogicalSwitchPort {
	host := "node1"
	if m.state == isElsewhere {
		host = "node2"
	}
	up := m.state == isHere || m.state == isElsewhere
	return &ovn.LogicalSwitchPort{UUID: name, Name: name, Switch: networks()[m.net].name, Up: &up,
		Disabled: m.state == isDisabled, MAC: m.macText(), Addresses: []netip.Addr{m.ip},
		RequestedChassis: []string{host}, HostID: host}
}

func (c *cloud) compute(in desired.Input) (model.Node, []model.Decision) {
	return desired.Node(in, c.settings())
}

func (c *cloud) explain(in desired.Input, keys []string) map[string]model.Decision {
	found := map[string]model.Decision{}
	for _, k := range keys {
		found[k] = desired.Whys(in, c.settings(), prefixOf(k))[prefixOf(k)]
	}
	return found
}

func (c *cloud) evidence(_ context.Context, in desired.Input, keys []string) (map[string]model.Decision, error) {
	return c.explain(in, keys), nil
}

// addressOf returns the address of an announcement's key; of a subnet's the first in it.
func addressOf(key string) netip.Addr { return prefixOf(key).Addr() }

func prefixOf(key string) netip.Prefix {
	var vrf, prefix string
	if _, err := fmt.Sscan(key, &vrf, &prefix); err != nil {
		panic(err)
	}
	return netip.MustParsePrefix(prefix)
}

func keyOf(a netip.Addr) string { return model.Key("bgp-vrf", netip.PrefixFrom(a, a.BitLen())) }
