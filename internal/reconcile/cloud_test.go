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
	return c
}

func (m machine) macText() string {
	return fmt.Sprintf("fa:16:3e:00:%02x:%02x", m.mac, m.ip.AsSlice()[m.ip.BitLen()/8-1])
}

func settings() config.Node {
	return config.Node{Driver: config.DriverNB, Method: config.MethodUnderlay, AS: 64999, VRF: "bgp-vrf", VRFTable: 10,
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
	return desired.Input{OVN: s, Host: model.Host{Name: "node1",
		RTTables: []model.RTTable{{ID: 200, Name: "br-ex"}, {ID: 201, Name: "br-two"}}}}
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
	return desired.Node(in, settings())
}

func (c *cloud) evidence(_ context.Context, in desired.Input, keys []string) (map[string]model.Decision, error) {
	found := map[string]model.Decision{}
	for _, k := range keys {
		found[k] = desired.Why(in, settings(), addressOf(k))
	}
	return found, nil
}

// addressOf returns the address of an announcement's key.
func addressOf(key string) netip.Addr {
	var vrf, prefix string
	if _, err := fmt.Sscan(key, &vrf, &prefix); err != nil {
		panic(err)
	}
	return netip.MustParsePrefix(prefix).Addr()
}

func keyOf(a netip.Addr) string { return model.Key("bgp-vrf", netip.PrefixFrom(a, a.BitLen())) }
