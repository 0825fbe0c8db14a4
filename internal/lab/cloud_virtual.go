package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"ovnbgp/internal/client/ovsdb"
)

// MakeVirtual lets the VMs of other ports hold a port's address in turn, as VRRP does: the address becomes an allowed
// address pair of theirs, and the port a virtual one.
func (c *Cloud) MakeVirtual(ctx context.Context, name string, parents ...string) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	var ids []string
	for _, parent := range parents {
		holder, err := c.Port(parent)
		if err != nil {
			return err
		}
		ids = append(ids, holder.ID)
		holder.Revision++
		allowed := holder.addresses() + " " + p.Addresses[0].String()
		if err := c.transact(ctx,
			ovsdb.Update("Logical_Switch_Port", lsp(holder.ID), ovsdb.Columns{"port_security": []string{allowed}}),
			setRevision("Logical_Switch_Port", lsp(holder.ID), holder.Revision)); err != nil {
			return fmt.Errorf("allow %s on port %s: %w", p.Addresses[0], parent, err)
		}
	}
	p.VirtualParents = parents
	p.Revision++
	return c.commit(ctx,
		ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{
			"type":    "virtual",
			"options": map[string]string{"virtual-ip": p.Addresses[0].String(), "virtual-parents": strings.Join(ids, ",")},
		}),
		setKeys("Logical_Switch_Port", lsp(p.ID), "external_ids", map[string]string{
			"neutron:parent_hostname": "", "neutron:revision_number": fmt.Sprint(p.Revision),
		}))
}

// HoldVirtual has a VM take a virtual port's address from whoever has it, and tell so by ARP. When OVN has moved the
// port it writes what Neutron then writes. `up` changes at the first time only.
func (c *Cloud) HoldVirtual(ctx context.Context, name, holder string) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	to, err := c.VM(holder)
	if err != nil {
		return err
	}
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	s, err := n.subnet(p.Addresses[0])
	if err != nil {
		return err
	}
	address := netip.PrefixFrom(p.Addresses[0], s.CIDR.Bits())
	for _, parent := range p.VirtualParents {
		if v, err := c.VM(parent); err == nil {
			if err := v.hold(address, parent == holder); err != nil {
				return err
			}
		}
	}
	mac := c.state.Ports[holder].MAC
	if err := poll(ctx, 20*time.Second, 200*time.Millisecond, func() error {
		if err := to.send(gratuitousARP(mac, p.Addresses[0])); err != nil {
			return err
		}
		return c.isOn(ctx, p, to.Node)
	}); err != nil {
		return fmt.Errorf("give %s to VM %s: %w", p.Addresses[0], holder, err)
	}
	if !p.Claimed {
		p.Claimed = true
		if err := c.waitUp(ctx, p, true); err != nil {
			return err
		}
	}
	if err := c.pause(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	return c.commit(ctx, setKeys("Logical_Switch_Port", lsp(p.ID), "external_ids",
		map[string]string{"neutron:parent_hostname": to.Node}))
}

// isOn reports as an error that OVN has not bound a port to a node.
func (c *Cloud) isOn(ctx context.Context, p *Port, node string) error {
	row, err := c.binding(ctx, p, "chassis")
	if err != nil {
		return err
	}
	want, err := c.chassisID(ctx, node)
	if err != nil {
		return err
	}
	var has ovsdb.Optional[ovsdb.UUID]
	if err := row.Get("chassis", &has); err != nil {
		return err
	}
	if has.Value != want {
		return fmt.Errorf("port %s is not bound to %s", p.Name, node)
	}
	return nil
}

// hold adds an address to the VM's device, or removes it.
func (v *VM) hold(address netip.Prefix, has bool) error {
	return withLinks(Node{NodeSpec: NodeSpec{Name: v.Name}, Pid: v.Pid}, func(h *netlink.Handle) error {
		if has {
			return configure(h, uplink, address)
		}
		link, err := h.LinkByName(uplink)
		if err != nil {
			return err
		}
		list, err := h.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, a := range list {
			if got, ok := netip.AddrFromSlice(a.IP); ok && got.Unmap() == address.Addr() {
				return h.AddrDel(link, &a)
			}
		}
		return nil
	})
}
