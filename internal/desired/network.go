package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// network is a provider network: a logical switch with localnet ports.
type network struct {
	name string // of the logical switch
	// segment is the localnet port this node uses: of those on mapped bridges the first by name. nil when none
	// is mapped here.
	segment  *segment
	physnets []string // of all its localnet ports, for people
}

// segment is a localnet port on a mapped bridge.
type segment struct {
	localnet *ovn.LogicalSwitchPort
	mapping  ovn.Mapping
	tag      int
	// device is what carries the segment in the kernel: the bridge, or a VLAN device on it.
	device string
	// taken is the bridge whose device already has the name this one would get; the segment is unusable then.
	taken string
}

// mapBridges reads the bridge mappings. A physical network mapped twice goes to the last, as OVN does it.
func (v *view) mapBridges() {
	v.mappings = map[string]ovn.Mapping{}
	list := slices.Clone(v.in.OVN.Local.Mappings)
	slices.SortFunc(list, func(a, b ovn.Mapping) int { return a.Index - b.Index })
	v.mapped = list
	for _, m := range list {
		if before, twice := v.mappings[m.PhysicalNetwork]; twice && before.Bridge != m.Bridge {
			v.note("mapped-twice", "Open_vSwitch external_ids:ovn-bridge-mappings", fmt.Sprintf(
				"physical network %s is mapped to bridges %s and %s: the last counts",
				m.PhysicalNetwork, before.Bridge, m.Bridge), "leave one of them in ovn-bridge-mappings")
		}
		v.mappings[m.PhysicalNetwork] = m
		if !slices.Contains(v.bridges, m.Bridge) {
			v.bridges = append(v.bridges, m.Bridge)
		}
	}
	slices.Sort(v.bridges)
}

// indexNetworks finds the provider networks and the device of each of their segments.
func (v *view) indexNetworks() {
	for _, p := range v.in.OVN.Ports {
		if p.Type == ovn.PortLocalnet && p.Switch != "" && !insideOVN(p.Switch) {
			v.indexLocalnet(p)
		}
	}
	slices.SortFunc(v.segments, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.mapping.Bridge, b.mapping.Bridge), cmp.Compare(a.tag, b.tag),
			cmp.Compare(a.localnet.Name, b.localnet.Name))
	})
	v.nameDevices()
	for i := range v.segments {
		s := &v.segments[i]
		n := v.networks[s.localnet.Switch]
		if n.segment == nil || s.localnet.Name < n.segment.localnet.Name {
			n.segment = s
		}
	}
	for _, n := range v.networks {
		slices.Sort(n.physnets)
		n.physnets = slices.Compact(n.physnets)
	}
}

func (v *view) indexLocalnet(p *ovn.LogicalSwitchPort) {
	n := v.networks[p.Switch]
	if n == nil {
		n = &network{name: p.Switch}
		v.networks[p.Switch] = n
	}
	n.physnets = append(n.physnets, p.PhysicalNetwork)
	if m, ok := v.mappings[p.PhysicalNetwork]; ok {
		v.segments = append(v.segments, segment{localnet: p, mapping: m, tag: p.Tag})
	}
}

// insideOVN tells the switches that Neutron's service plugin ovn-bgp makes for itself. Their localnet ports join
// OVN's own BGP routers to a bridge: this node's kernel has no part in that.
func insideOVN(ls string) bool { return strings.HasPrefix(ls, "bgp-ls-") }

// nameDevices gives each segment its device. Names of VLAN devices are cut, so two bridges may ask for one name:
// the first bridge by name has it, and the other's networks cannot be announced.
func (v *view) nameDevices() {
	has := map[string]string{}
	for _, b := range v.bridges {
		has[b] = b
	}
	noted := map[string]bool{}
	for i := range v.segments {
		s := &v.segments[i]
		if s.tag == 0 {
			s.device = s.mapping.Bridge
			continue
		}
		s.device = model.VLANDevice(s.mapping.Bridge, s.tag)
		first, taken := has[s.device]
		switch {
		case !taken:
			has[s.device] = s.mapping.Bridge
		case first != s.mapping.Bridge:
			s.taken = first
			if what := s.device + " " + s.mapping.Bridge; !noted[what] {
				noted[what] = true
				v.note("device-name-taken", rowOf("Logical_Switch_Port", s.localnet.UUID, "localnet", s.localnet.Name),
					fmt.Sprintf("VLAN %d on bridge %s would need device %s, which is that of bridge %s", s.tag,
						s.mapping.Bridge, s.device, first), "rename a bridge: their first ten characters are the same")
			}
		}
	}
}

// inside says why addresses of a logical switch are announced on no node: nil for provider networks.
func (v *view) inside(ls string) *model.Decision {
	switch {
	case v.networks[ls] != nil:
		return nil
	case insideOVN(ls):
		return suppressed("bgp-inside-ovn", fmt.Sprintf(
			"%s belongs to OVN's own BGP routers, which announce its addresses themselves", ls), "")
	case ls == "":
		return suppressed("no-network", "the row is on no logical switch", "")
	}
	if !v.exposesTenants() {
		return v.unexposed(ls)
	}
	return suppressed("tenant-network", fmt.Sprintf("%s is a tenant network: gateways and floating IPs on it are behind "+
		"another router, and are not announced", v.networkName(ls)), "")
}

// usable says whether this node can carry addresses of a logical switch; when not, why.
func (v *view) usable(ls string) (*network, *model.Decision) {
	if no := v.inside(ls); no != nil {
		return nil, no
	}
	n := v.networks[ls]
	switch {
	case n.segment == nil:
		return nil, suppressed("network-not-mapped", fmt.Sprintf(
			"network %s is on physical network %s, which this node maps to no bridge", v.networkName(ls),
			strings.Join(n.physnets, ", ")), "add it to the switch's external_ids:ovn-bridge-mappings")
	case n.segment.taken != "":
		return nil, suppressed("device-name-taken", fmt.Sprintf(
			"network %s needs device %s on bridge %s, and bridge %s has a device of that name", v.networkName(ls),
			n.segment.device, n.segment.mapping.Bridge, n.segment.taken),
			"rename a bridge: their first ten characters are the same")
	}
	return n, nil
}
