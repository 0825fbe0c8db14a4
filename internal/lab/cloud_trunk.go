package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink"

	"ovnbgp/internal/client/ovsdb"
)

// AddSubport makes a port a subport of another one's trunk: what its VM tags with the VLAN is the subport's. A subport
// has no host of its own, even when it is up. Where the trunk's VM runs, it gets a VLAN device with the subport's
// addresses, and its banner answers there, too.
func (c *Cloud) AddSubport(ctx context.Context, name, parent string, tag int64) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	trunk, err := c.Port(parent)
	if err != nil {
		return err
	}
	p.Parent, p.Tag, p.DeviceID, p.DeviceOwner = parent, tag, "", "trunk:subport"
	p.Revision++
	if err := c.commit(ctx, ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{
		"parent_name": ovsdb.Some(trunk.ID), "tag_request": ovsdb.Some(tag), "external_ids": c.portIDs(p),
	})); err != nil {
		return fmt.Errorf("add subport %s to %s: %w", name, parent, err)
	}
	v, err := c.VM(parent)
	if err != nil {
		return nil // it comes up with the trunk
	}
	if err := c.plugSubport(v, p); err != nil {
		return err
	}
	return c.waitUp(ctx, p, true)
}

// RemoveSubport makes a subport an ordinary port again, unbound and down, in one update.
func (c *Cloud) RemoveSubport(ctx context.Context, name string) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	p.Parent, p.Tag, p.DeviceOwner = "", 0, ""
	p.Revision++
	return c.commit(ctx, ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{
		"parent_name": ovsdb.Set{}, "tag_request": ovsdb.Set{}, "up": ovsdb.Some(false), "external_ids": c.portIDs(p),
	}))
}

// plugSubport makes a subport's device in its VM, with a default route of its own: an answer must leave where the
// question came in, or OVN would take it for one of the trunk's own port.
func (c *Cloud) plugSubport(v *VM, p *Port) error {
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		return err
	}
	device := uplink + "." + strconv.FormatInt(p.Tag, 10)
	if err := withLinks(Node{NodeSpec: NodeSpec{Name: v.Name}, Pid: v.Pid}, func(h *netlink.Handle) error {
		trunk, err := h.LinkByName(uplink)
		if err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.MTU = device, trunk.Attrs().Index, mac, min(n.MTU, trunk.Attrs().MTU)-4
		link := &netlink.Vlan{LinkAttrs: attrs, VlanId: int(p.Tag), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
		if err := h.LinkAdd(link); err != nil {
			return fmt.Errorf("add link %s: %w", device, err)
		}
		for _, a := range p.Addresses {
			s, err := n.subnet(a)
			if err != nil {
				return err
			}
			if err := configure(h, device, netip.PrefixFrom(a, s.CIDR.Bits())); err != nil {
				return err
			}
			if err := answerThrough(h, device, a, s.Gateway, int(p.Tag)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("plug subport %s: %w", p.Name, err)
	}
	return v.inside(func() error { return checksumOff(device) })
}

// answerThrough routes what an address sends through its own device and gateway, by a table of its own.
func answerThrough(h *netlink.Handle, device string, from, via netip.Addr, table int) error {
	link, err := h.LinkByName(device)
	if err != nil {
		return err
	}
	rule := netlink.NewRule()
	rule.Src, rule.Table, rule.Priority = ipNet(netip.PrefixFrom(from, from.BitLen())), table, table
	rule.Family = netlink.FAMILY_V4
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if from.Is6() {
		rule.Family, all = netlink.FAMILY_V6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if err := h.RuleAdd(rule); err != nil {
		return fmt.Errorf("add rule for %s: %w", from, err)
	}
	return h.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(all), Gw: via.AsSlice(), Table: table})
}
