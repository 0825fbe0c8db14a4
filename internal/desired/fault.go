package desired

import (
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// faults makes a decision of each value that could not be understood. The row it is in counts with what is left.
func (v *view) faults() (decisions []model.Decision) {
	add := func(list []ovn.Fault) {
		for _, f := range list {
			d := suppressed("bad-value", fmt.Sprintf("%s of %s %s has a value that cannot be understood, %q: %s",
				f.Column, f.Table, f.Row, f.Value, f.Reason), "correct the value; the rest of the row counts")
			d.Row = f.Table + " " + f.Row
			decisions = append(decisions, *d)
		}
	}
	s := &v.in.OVN
	for _, r := range s.Switches {
		add(r.Faults)
	}
	for _, r := range s.Ports {
		add(r.Faults)
	}
	for _, r := range s.RouterPorts {
		add(r.Faults)
	}
	for _, r := range s.NATs {
		add(r.Faults)
	}
	for _, r := range s.Balancers {
		add(r.Faults)
	}
	for _, r := range s.StaticRoutes {
		add(r.Faults)
	}
	for _, r := range s.DHCPOptions {
		add(r.Faults)
	}
	add(s.Local.Faults)
	return decisions
}

// unread decides about addresses that no row serves because a value of a port cannot be understood, while the port's
// neutron:cidrs still has them. That is no evidence for a withdrawal: nothing says where the address is now.
func (v *view) unread(p *ovn.LogicalSwitchPort) (decisions []model.Decision) {
	if len(p.Faults) == 0 {
		return nil
	}
	f := p.Faults[0]
	for _, cidr := range p.CIDRs {
		d := *suppressed("bad-value", fmt.Sprintf("%s of its port has a value that cannot be understood, %q: %s",
			f.Column, f.Value, f.Reason), "correct the value")
		d.Address, d.Key, d.Evidence = cidr.Addr(), v.key(cidr.Addr()), model.Unexplained
		d.Row = v.realRow(rowOf("Logical_Switch_Port", p.UUID, "port", p.Name))
		decisions = append(decisions, d)
	}
	return decisions
}

// absent says of each table and column the database lacks what that means here: unknown is not empty.
func (v *view) absent() (decisions []model.Decision) {
	list := slices.Clone(v.in.OVN.Absent)
	slices.Sort(list)
	for _, name := range slices.Compact(list) {
		text, fix := "what it would say is unknown", ""
		switch {
		case v.stretched():
			if name == hostingColumn || strings.HasPrefix(name, "NAT") || strings.HasPrefix(name, "Load_Balancer") {
				continue // nothing is asked of it
			}
		case name == hostingColumn:
			text, fix = "nobody can say which chassis hosts a gateway, so no gateway and no floating IP behind one "+
				"is announced", "use OVN 23.09 or newer"
		case name == "NAT.gateway_port":
			text = "a floating IP's gateway is found by its router instead"
		}
		d := suppressed("column-absent", fmt.Sprintf("the database has no %s: %s", name, text), fix)
		d.Row = name
		decisions = append(decisions, *d)
	}
	return decisions
}
