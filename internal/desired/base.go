package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// flowPriority is above the NORMAL flow of a provider bridge and, being the old agent's too, lets its flows be
// taken over in place.
const flowPriority = 900

// base makes what every node has, whatever it announces: the VRF, the bridges with their tables, the VLAN devices,
// and the way back out of OVN.
func (b *builder) base() {
	c := b.v.c
	b.node.VRF = model.VRF{Name: c.VRF, Table: c.VRFTable, Device: c.NIC}
	b.node.Leak = leak(c)
	b.node.Links = announcing(c)
	for _, bridge := range b.v.bridges {
		b.bridge(bridge)
	}
	for _, bridge := range b.v.in.OVN.Local.Bridges {
		if !slices.Contains(b.v.bridges, bridge.Name) {
			b.node.Unmapped = append(b.node.Unmapped, bridge.Name)
		}
	}
	b.devices()
	b.flows()
	for _, family := range []model.Family{4, 6} {
		if keys := b.serves(onNode, "", family); len(keys) > 0 {
			b.node.Sysctls = append(b.node.Sysctls, model.Sysctl{Family: family, Device: "all", Name: "forwarding",
				Value: "1", Required: true, Why: "this node routes to OVN", Serves: keys})
		}
	}
}

// announcing are the links that announcements are on.
func announcing(c config.Node) []model.Link {
	return []model.Link{
		{Name: c.VRF, Kind: model.LinkVRF, Table: c.VRFTable, Why: "VRF of the announcements"},
		{Name: c.NIC, Kind: model.LinkDummy, Master: c.VRF, Why: "holds the announced addresses"},
	}
}

func leak(c config.Node) model.Leak {
	l := model.Leak{AS: c.AS, RouterID: c.RouterID, VRF: c.VRF, Device: c.NIC, Redistribute: []string{"connected"},
		Why: "brings the announced addresses into the default BGP instance"}
	switch {
	case c.Driver == config.DriverStretchedL2 || c.BGP.AnnounceWith == config.AnnounceRoute:
		l.Redistribute = []string{"kernel"}
	case c.TenantMethod == config.TenantSubnet || len(c.HostAddresses) > 0:
		l.Redistribute = []string{"connected", "kernel"}
	}
	return l
}

// bridge makes a mapped bridge's link and the default routes of its table.
func (b *builder) bridge(name string) {
	table := b.v.tables[name]
	why := "provider bridge of " + strings.Join(b.v.physnetsOf(name), ", ")
	b.node.Bridges = append(b.node.Bridges, model.Bridge{Name: name, Table: table})
	b.node.Links = append(b.node.Links, model.Link{Name: name, Kind: model.LinkExisting, Why: why,
		Serves: b.serves(onBridge, name, 0)})
	for family, all := range map[model.Family]string{4: "0.0.0.0/0", 6: "::/0"} {
		b.node.Routes = append(b.node.Routes, model.Route{Table: table, Prefix: netip.MustParsePrefix(all),
			Device: name, Why: why, Serves: b.serves(onBridge, name, family)})
	}
}

func (v *view) physnetsOf(bridge string) (list []string) {
	for physnet, m := range v.mappings {
		if m.Bridge == bridge {
			list = append(list, physnet)
		}
	}
	slices.Sort(list)
	return list
}

// devices makes the VLAN devices, and on each device that leads to OVN what makes the kernel answer for the
// gateway OVN looks for.
func (b *builder) devices() {
	made := map[string]bool{}
	for _, m := range b.v.mapped {
		b.answers(m.Bridge, !made[m.Bridge], m.Index, 0)
		made[m.Bridge] = true
	}
	for _, s := range b.v.segments {
		if s.tag == 0 || s.taken != "" {
			continue
		}
		if !made[s.device] {
			b.node.Links = append(b.node.Links, model.Link{Name: s.device, Kind: model.LinkVLAN,
				Parent: s.mapping.Bridge, VLAN: s.tag, Why: fmt.Sprintf("VLAN %d of %s", s.tag, s.mapping.PhysicalNetwork),
				Serves: b.serves(onDevice, s.device, 0)})
		}
		b.answers(s.device, !made[s.device], s.mapping.Index, s.tag)
		made[s.device] = true
	}
}

// answers makes a device's addresses for one place in the mappings and, the first time, the settings by which the
// kernel answers there for what is behind it. Two places may give the same addresses; sort takes the doubles out.
func (b *builder) answers(device string, first bool, index, tag int) {
	for _, a := range model.AnsweringAddresses(index, tag) {
		b.node.Addresses = append(b.node.Addresses, model.Address{Device: device, Prefix: hostPrefix(a),
			Why: "answers ARP and neighbour discovery", Serves: b.serves(onDevice, device, model.FamilyOf(a))})
	}
	if !first {
		return
	}
	why := "OVN asks for its gateway here"
	b.node.Sysctls = append(b.node.Sysctls,
		model.Sysctl{Family: 4, Device: device, Name: "proxy_arp", Value: "1", Why: why,
			Serves: b.serves(onDevice, device, 4)},
		model.Sysctl{Family: 6, Device: device, Name: "proxy_ndp", Value: "1", Why: why,
			Serves: b.serves(onDevice, device, 6)})
}

// flows makes the way back: what leaves OVN through a localnet port is sent to this node's kernel. A localnet port
// has a patch port only while something of its network is on this node; without one it gets flows only when
// addresses depend on them, and then writing them fails with that reason.
func (b *builder) flows() {
	bridges := map[string]ovn.Bridge{}
	for _, bridge := range b.v.in.OVN.Local.Bridges {
		bridges[bridge.Name] = bridge
	}
	for _, s := range b.v.segments {
		bridge := bridges[s.mapping.Bridge]
		port := patchPort(bridge, s.localnet.Name)
		for family, ether := range map[model.Family]model.EtherType{4: model.EtherIPv4, 6: model.EtherIPv6} {
			serves := b.serves(onLocalnet, s.localnet.Name, family)
			if port.Name == "" && len(serves) == 0 {
				continue
			}
			b.node.Flows = append(b.node.Flows, model.Flow{Bridge: s.mapping.Bridge, Priority: flowPriority,
				EtherType: ether, InPort: port.Name, Localnet: s.localnet.Name, OFPort: port.OFPort, EthDst: bridge.MAC,
				Why: "what leaves " + b.v.networkName(s.localnet.Switch) + " is routed by this node", Serves: serves})
		}
	}
}

// patchPort finds the provider bridge's end of a localnet port. ovn-controller names it after both ends; what the
// integration bridge is called is the operator's choice.
func patchPort(bridge ovn.Bridge, localnet string) (found ovn.OVSPort) {
	for _, p := range bridge.Ports {
		if p.Type == "patch" && strings.HasPrefix(p.Name, "patch-"+localnet+"-to-") &&
			(found.Name == "" || p.Name < found.Name) {
			found = p
		}
	}
	return found
}
