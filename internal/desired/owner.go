package desired

import (
	"slices"
	"strings"

	"ovnbgp/internal/ovn"
)

// owner is the one node that answers for a port.
type owner struct {
	name string // host or chassis; "" when no row names one
	// near is set when the name and this host's differ only by a domain: the same machine, most likely, and a
	// mistake in somebody's configuration.
	near bool
	here bool
}

// ownerOf says which node answers for a port. One port has one owner, also in the middle of a migration, when its
// row names two hosts.
//
//   - The chassis that has bound it is the truth, where that is known, and who it asks for is not: bound nowhere, it
//     is nobody's.
//   - An ordinary port: of the hosts it requests the first, as OVN takes the main chassis; the second is where it
//     migrates to. neutron:host_id counts where it requests none: it comes after the port is up, and may stay on the
//     source of a migration for good, to where the machine may then migrate back.
//   - A subport is where its parent is; Neutron gives it no host of its own.
//   - A virtual port is where its active parent is, and ignores requested-chassis, as OVN does.
//   - An external port is where OVN answers for it, on its group's first live chassis; host_id names another machine.
func (v *view) ownerOf(p *ovn.LogicalSwitchPort) owner {
	if p.Chassis != "" || v.in.OVN.Bindings {
		return v.boundTo(p.Chassis)
	}
	switch {
	case p.Type == ovn.PortVirtual:
		if p.ParentHost != "" {
			return v.compare(p.ParentHost)
		}
		return v.compare(p.HostID)
	case p.Type == ovn.PortExternal:
		name, _ := v.answering(v.groups[p.HAGroup])
		return v.compare(name)
	case p.ParentName != "":
		parent := v.ports[p.ParentName]
		if parent == nil || parent.ParentName != "" { // OVN nests ports one deep
			return owner{}
		}
		return v.ownerOf(parent)
	}
	return v.compare(ordinaryHost(p))
}

// boundTo is the owner of what a chassis has bound. A chassis has one name, so none is nearly this node's; a node that
// does not know its own goes by that of the host, which is mostly the same.
func (v *view) boundTo(chassis string) owner {
	if v.chassis == "" {
		return v.compare(chassis)
	}
	return owner{name: chassis, here: chassis != "" && chassis == v.chassis}
}

func ordinaryHost(p *ovn.LogicalSwitchPort) string {
	if len(p.RequestedChassis) == 0 {
		return p.HostID
	}
	return p.RequestedChassis[0]
}

func (v *view) compare(name string) owner {
	if name == "" {
		return owner{}
	}
	here := name == v.host || name == v.chassis
	return owner{name: name, here: here, near: !here && sameButDomain(name, v.host)}
}

// sameButDomain tells whether one name is the other with a domain behind it.
func sameButDomain(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a != "" && strings.HasPrefix(b, a+".")
}

// interfaceHere tells whether the local switch still has what makes the port work: its own interface, its parent's,
// or, for a virtual port, this node being named; where it is bound to no chassis, any parent's it may have.
func (v *view) interfaceHere(p *ovn.LogicalSwitchPort, o owner) bool {
	switch {
	case p.Type == ovn.PortVirtual && v.unbound(p):
		return slices.ContainsFunc(p.VirtualParents, func(parent string) bool { return v.interfaces[parent] })
	case p.Type == ovn.PortVirtual:
		return o.here
	case p.ParentName != "":
		return v.interfaces[p.ParentName]
	}
	return v.interfaces[p.Name]
}

// unbound tells whether it is known that no chassis has bound the port.
func (v *view) unbound(p *ovn.LogicalSwitchPort) bool { return v.in.OVN.Bindings && p.Chassis == "" }
