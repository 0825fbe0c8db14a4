package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// PortOptions describe a port to create.
type PortOptions struct {
	Name, Network string
	MAC           string       // "": random
	Addresses     []netip.Addr // none: one of each subnet
	// DeviceID and DeviceOwner are for ports that are no VM's; "" for a VM's.
	DeviceID, DeviceOwner string
}

// Port is a Neutron port and its Logical_Switch_Port, whose name is the port's ID.
type Port struct {
	ID, Name, Network     string
	MAC                   string
	Addresses             []netip.Addr
	DeviceID, DeviceOwner string
	Host                  string // requested-chassis
	HostID                string // neutron:host_id
	FloatingIP            string // neutron:port_fip
	Parent                string // of a subport: the name of the trunk's port
	Tag                   int64  // of a subport
	VirtualParents        []string
	Claimed               bool // a virtual port that a VM has held
	Project               string
	Revision              int
}

// Port finds a port by name.
func (c *Cloud) Port(name string) (*Port, error) {
	p, ok := c.state.Ports[name]
	if !ok {
		return nil, fmt.Errorf("no port %q in the cloud", name)
	}
	return p, nil
}

// CreatePort creates an unbound port.
func (c *Cloud) CreatePort(ctx context.Context, o PortOptions) (*Port, error) {
	p, ops, err := c.newPort(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("create port %s: %w", o.Name, err)
	}
	if err := c.transact(ctx, ops...); err != nil {
		delete(c.state.Ports, o.Name)
		return nil, fmt.Errorf("create port %s: %w", o.Name, err)
	}
	return p, c.save()
}

// newPort adds a port to the state and returns what inserts its row. Several can go into one transaction.
func (c *Cloud) newPort(ctx context.Context, o PortOptions) (*Port, []ovsdb.Operation, error) {
	n, err := c.Network(o.Network)
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.Port(o.Name); err == nil {
		return nil, nil, errors.New("it exists")
	}
	p := &Port{
		ID: newID(), Name: o.Name, Network: o.Network, MAC: o.MAC, Addresses: o.Addresses,
		DeviceID: o.DeviceID, DeviceOwner: o.DeviceOwner, Project: project, Revision: 1,
	}
	if p.DeviceID == "" {
		p.DeviceID = newID()
	}
	if p.MAC == "" {
		p.MAC = newMAC()
	}
	if len(p.Addresses) == 0 {
		for _, s := range n.Subnets {
			p.Addresses = append(p.Addresses, c.free(n, s, p.MAC))
		}
	}
	row := c.portRow(p)
	var ops []ovsdb.Operation
	for _, s := range n.Subnets {
		if s.DHCP && s.CIDR.Addr().Is4() {
			id, err := c.rowID(ctx, "DHCP_Options", s.where())
			if err != nil {
				return nil, nil, err
			}
			row["dhcpv4_options"] = id
		}
	}
	c.state.Ports[p.Name] = p
	name := "p" + strings.ReplaceAll(p.ID, "-", "")
	return p, append(ops,
		ovsdb.Insert("Logical_Switch_Port", name, row),
		add("Logical_Switch", ls(n.ID), "ports", ovsdb.Named(name)),
		add("Port_Group", named(dropGroup), "ports", ovsdb.Named(name)),
		add("Port_Group", named(groupName(c.state.Group)), "ports", ovsdb.Named(name))), nil
}

// portRow is a port's row but for what depends on its kind.
func (c *Cloud) portRow(p *Port) ovsdb.Columns {
	return ovsdb.Columns{
		"name":          p.ID,
		"addresses":     []string{p.addresses()},
		"port_security": []string{p.addresses()},
		"enabled":       ovsdb.Some(true),
		"external_ids":  c.portIDs(p),
	}
}

// addresses is the element of the column of that name.
func (p *Port) addresses() string {
	words := []string{p.MAC}
	for _, a := range p.Addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// address4 is the port's first IPv4 address, the zero address if it has none.
func (p *Port) address4() netip.Addr {
	for _, a := range p.Addresses {
		if a.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// portIDs is a port's external_ids.
func (c *Cloud) portIDs(p *Port) map[string]string {
	n := c.state.Networks[p.Network]
	if n == nil { // a network whose creation is under way names itself
		n = &Network{}
	}
	var cidrs []string
	for _, a := range p.Addresses {
		if s, err := n.subnet(a); err == nil {
			cidrs = append(cidrs, cidr(a, s))
		}
	}
	ids := map[string]string{
		"neutron:cidrs": strings.Join(cidrs, " "), "neutron:device_id": p.DeviceID, "neutron:device_owner": p.DeviceOwner,
		"neutron:mtu": "", "neutron:network_name": "neutron-" + n.ID, "neutron:port_capabilities": "",
		"neutron:port_name": p.Name, "neutron:project_id": p.Project, "neutron:revision_number": strconv.Itoa(p.Revision),
		"neutron:security_group_ids": "", "neutron:subnet_pool_addr_scope4": n.scope(true),
		"neutron:subnet_pool_addr_scope6": n.scope(false), "neutron:vnic_type": "normal",
	}
	switch {
	case p.DeviceOwner == "network:distributed":
		ids["neutron:mtu"] = strconv.Itoa(n.MTU)
	case !strings.HasPrefix(p.DeviceOwner, "network:"):
		ids["neutron:security_group_ids"] = c.state.Group
	}
	if p.FloatingIP != "" {
		ids["neutron:port_fip"] = p.FloatingIP
	}
	if p.HostID != "" {
		ids["neutron:host_id"] = p.HostID
	}
	return ids
}

// BindPort sets a port's host, as the compute service does before it plugs the virtual machine. The row says so at
// once in requested-chassis.
func (c *Cloud) BindPort(ctx context.Context, name, host string) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	p.Host, p.DeviceOwner = host, "compute:nova"
	p.Revision += 3
	return c.commit(ctx,
		setKeys("Logical_Switch_Port", lsp(p.ID), "external_ids", map[string]string{
			"neutron:device_owner": p.DeviceOwner, "neutron:revision_number": strconv.Itoa(p.Revision),
		}),
		setKeys("Logical_Switch_Port", lsp(p.ID), "options", map[string]string{"requested-chassis": host}))
}

// DeletePort deletes a port, first the floating IP's association.
func (c *Cloud) DeletePort(ctx context.Context, name string) error {
	p, err := c.Port(name)
	if err != nil {
		return err
	}
	if p.FloatingIP != "" {
		if err := c.Disassociate(ctx, p.FloatingIP); err != nil {
			return err
		}
	}
	id, err := c.rowID(ctx, "Logical_Switch_Port", lsp(p.ID))
	if err != nil {
		return err
	}
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	delete(c.state.Ports, name)
	return c.commit(ctx,
		remove("Logical_Switch", ls(n.ID), "ports", id),
		remove("Port_Group", named(dropGroup), "ports", id),
		remove("Port_Group", named(groupName(c.state.Group)), "ports", id))
}

// waitUp waits until northd has set a port's up, and then writes what Neutron writes on that event.
func (c *Cloud) waitUp(ctx context.Context, p *Port, up bool) error {
	if err := poll(ctx, 2*time.Minute, 50*time.Millisecond, func() error {
		is, err := c.up(ctx, p)
		if err == nil && is != up {
			err = fmt.Errorf("port %s: up is %v", p.Name, is)
		}
		return err
	}); err != nil {
		return err
	}
	if up {
		return c.portUp(ctx, p)
	}
	return c.portDown(ctx, p)
}

func (c *Cloud) up(ctx context.Context, p *Port) (bool, error) {
	rows, err := c.nb.Select(ctx, nbDatabase, "Logical_Switch_Port", lsp(p.ID), "up")
	if err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, fmt.Errorf("port %s has no row", p.Name)
	}
	var up ovsdb.Optional[bool]
	err = rows[0].Get("up", &up)
	return up.Or(false), err
}

// portUp is Neutron's answer to up=true, in its order and at its pace: the floating IP's MAC, a revision, the host.
func (c *Cloud) portUp(ctx context.Context, p *Port) error {
	if p.FloatingIP != "" {
		if err := c.distribute(ctx, c.state.FloatingIPs[p.FloatingIP]); err != nil {
			return err
		}
	}
	if err := c.pause(ctx, 120*time.Millisecond); err != nil {
		return err
	}
	p.Revision++
	if err := c.transact(ctx, setRevision("Logical_Switch_Port", lsp(p.ID), p.Revision)); err != nil {
		return err
	}
	if err := c.pause(ctx, 30*time.Millisecond); err != nil {
		return err
	}
	if p.Host == "" { // a subport or a virtual port: its place is another port's
		return c.save()
	}
	p.HostID = p.Host
	return c.commit(ctx, setKeys("Logical_Switch_Port", lsp(p.ID), "external_ids",
		map[string]string{"neutron:host_id": p.HostID}))
}

// portDown is Neutron's answer to up=false. requested-chassis stays.
func (c *Cloud) portDown(ctx context.Context, p *Port) error {
	if err := c.pause(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	p.Revision++
	if err := c.transact(ctx, setRevision("Logical_Switch_Port", lsp(p.ID), p.Revision)); err != nil {
		return err
	}
	p.HostID = ""
	return c.commit(ctx, deleteKeys("Logical_Switch_Port", lsp(p.ID), "external_ids", "neutron:host_id"))
}

func setRevision(table string, where []ovsdb.Condition, revision int) ovsdb.Operation {
	return setKeys(table, where, "external_ids", map[string]string{"neutron:revision_number": strconv.Itoa(revision)})
}
