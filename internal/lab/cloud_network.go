package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/client/ovsdb"
)

// NetworkType is Neutron's provider:network_type.
type NetworkType string

// The network types the lab has.
const (
	Flat   NetworkType = "flat"
	VLAN   NetworkType = "vlan"
	Geneve NetworkType = "geneve"
)

// NetworkOptions describe a network to create.
type NetworkOptions struct {
	Name     string
	Type     NetworkType
	Physnet  string // of flat and VLAN networks; "" is physnet1
	VLAN     int64
	External bool // router:external
}

// Network is a network and its subnets.
type Network struct {
	NetworkOptions
	ID       string
	MTU      int
	Subnets  []*Subnet
	Metadata Port // of the metadata agent; every network has one
}

// Provider reports whether the network is on a physical network.
func (n *Network) Provider() bool { return n.Type != Geneve }

// SubnetOptions describe a subnet to create.
type SubnetOptions struct {
	Network, Name string
	CIDR          netip.Prefix
	Gateway       netip.Addr // zero: the first address of the subnet
	DHCP          bool       // IPv4: DHCP; IPv6: addresses by router advertisement
	// Scope is the ID of the address scope that the subnet's pool is in, "" for none. Neutron lets the subnets of one
	// network and one family have one only.
	Scope string
}

// Subnet is a subnet of a network.
type Subnet struct {
	SubnetOptions
	ID         string
	DHCPServer string // MAC
}

// Network finds a network by name.
func (c *Cloud) Network(name string) (*Network, error) {
	n, ok := c.state.Networks[name]
	if !ok {
		return nil, fmt.Errorf("no network %q in the cloud", name)
	}
	return n, nil
}

// CreateNetwork creates a network: a switch, its localnet port if it is a provider network, then the metadata port.
func (c *Cloud) CreateNetwork(ctx context.Context, o NetworkOptions) (*Network, error) {
	if _, err := c.Network(o.Name); err == nil {
		return nil, fmt.Errorf("create network %s: it exists", o.Name)
	}
	n := &Network{NetworkOptions: o, ID: newID(), MTU: 1442}
	row := ovsdb.Columns{
		"name": "neutron-" + n.ID,
		"other_config": map[string]string{
			"mcast_flood_unregistered": "false", "mcast_snoop": "false", "vlan-passthru": "false",
		},
	}
	var ops []ovsdb.Operation
	if n.Provider() {
		n.MTU = 1500
		if n.Physnet == "" {
			n.Physnet = "physnet1"
		}
		row["other_config"].(map[string]string)["fdb_age_threshold"] = "300"
		row["ports"] = ovsdb.Set{ovsdb.Named("localnet")}
		ops = append(ops, ovsdb.Insert("Logical_Switch_Port", "localnet", localnet(n)))
	}
	if n.External {
		row["other_config"].(map[string]string)["broadcast-arps-to-all-routers"] = "true"
	}
	row["external_ids"] = n.externalIDs()
	if err := c.transact(ctx, append(ops, ovsdb.InsertAs(rowUUID(n.ID), "Logical_Switch", "switch", row))...); err != nil {
		return nil, fmt.Errorf("create network %s: %w", o.Name, err)
	}
	n.Metadata = Port{
		ID: newID(), Network: n.Name, MAC: newMAC(), Revision: 1,
		DeviceID: "ovnmeta-" + n.ID, DeviceOwner: "network:distributed",
	}
	c.state.Networks[n.Name] = n
	meta := c.portRow(&n.Metadata)
	meta["type"] = "localport"
	delete(meta, "port_security")
	return n, c.commit(ctx, ovsdb.Insert("Logical_Switch_Port", "port", meta), add("Logical_Switch", ls(n.ID), "ports", ovsdb.Named("port")))
}

func (n *Network) externalIDs() map[string]string {
	ids := map[string]string{
		"neutron:availability_zone_hints": "", "neutron:mtu": strconv.Itoa(n.MTU), "neutron:network_name": n.Name,
		"neutron:provnet-network-type": string(n.Type), "neutron:revision_number": "1",
	}
	if n.Provider() {
		ids["neutron:provnet-physical-network"] = n.Physnet
	}
	return ids
}

func localnet(n *Network) ovsdb.Columns {
	row := ovsdb.Columns{
		"name": "provnet-" + newID(), "type": "localnet", "addresses": []string{"unknown"},
		"external_ids": map[string]string{"neutron:provnet-physical-network": n.Physnet},
		"options": map[string]string{
			"localnet_learn_fdb": "false", "mcast_flood": "false", "mcast_flood_reports": "true", "network_name": n.Physnet,
		},
	}
	if n.VLAN != 0 {
		row["tag_request"] = ovsdb.Set{n.VLAN}
	}
	return row
}

// DeleteNetwork deletes a network without ports other than its metadata port.
func (c *Cloud) DeleteNetwork(ctx context.Context, name string) error {
	n, err := c.Network(name)
	if err != nil {
		return err
	}
	ops := []ovsdb.Operation{ovsdb.Delete("Logical_Switch", ls(n.ID)...)}
	for _, s := range n.Subnets {
		ops = append(ops, ovsdb.Delete("DHCP_Options", s.where()...))
	}
	delete(c.state.Networks, name)
	return c.commit(ctx, append(ops, ovsdb.Delete("HA_Chassis_Group", named("neutron-"+n.ID)...))...)
}

// CreateSubnet creates a subnet. The database shows it only by DHCP options, and by an address of the metadata port.
func (c *Cloud) CreateSubnet(ctx context.Context, o SubnetOptions) (*Subnet, error) {
	n, err := c.Network(o.Network)
	if err != nil {
		return nil, err
	}
	if !o.Gateway.IsValid() {
		o.Gateway = o.CIDR.Masked().Addr().Next()
	}
	s := &Subnet{SubnetOptions: o, ID: newID(), DHCPServer: newMAC()}
	n.Subnets = append(n.Subnets, s)
	if !o.DHCP {
		return s, c.save()
	}
	meta := &n.Metadata
	meta.Addresses = append(meta.Addresses, c.free(n, s, meta.MAC))
	meta.Revision++
	ops := []ovsdb.Operation{ovsdb.Update("Logical_Switch_Port", lsp(meta.ID), ovsdb.Columns{
		"addresses": []string{meta.addresses()}, "external_ids": c.portIDs(meta),
	})}
	if o.CIDR.Addr().Is4() {
		ops = append(ops, ovsdb.Insert("DHCP_Options", "", s.dhcpRow(n, meta.Addresses[len(meta.Addresses)-1])))
	}
	return s, c.commit(ctx, ops...)
}

func (s *Subnet) where() []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.Includes("external_ids", map[string]string{"subnet_id": s.ID})}
}

func (s *Subnet) dhcpRow(n *Network, metadata netip.Addr) ovsdb.Columns {
	return ovsdb.Columns{
		"cidr": s.CIDR.String(),
		"external_ids": map[string]string{
			"neutron:network_id": n.ID, "neutron:revision_number": "0", "subnet_id": s.ID,
		},
		"options": map[string]string{
			"classless_static_route": fmt.Sprintf("{169.254.169.254/32,%s, 0.0.0.0/0,%s}", metadata, s.Gateway),
			"dns_server":             "{192.0.2.53}", "domain_name": `"example.org."`, "lease_time": "43200",
			"mtu": strconv.Itoa(n.MTU), "router": s.Gateway.String(),
			"server_id": s.Gateway.String(), "server_mac": s.DHCPServer,
		},
	}
}

// subnet finds the subnet of a network that has an address.
func (n *Network) subnet(a netip.Addr) (*Subnet, error) {
	for _, s := range n.Subnets {
		if s.CIDR.Contains(a) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no subnet of network %s has %s", n.Name, a)
}

// scope is the ID of the address scope of the network's subnets of a family.
func (n *Network) scope(is4 bool) string {
	for _, s := range n.Subnets {
		if s.CIDR.Addr().Is4() == is4 {
			return s.Scope
		}
	}
	return ""
}

// free picks the first address of a subnet that nothing has; in a SLAAC subnet the one that follows from the MAC.
func (c *Cloud) free(n *Network, s *Subnet, mac string) netip.Addr {
	if s.DHCP && s.CIDR.Addr().Is6() {
		return slaac(s.CIDR, mac)
	}
	used := c.used(n)
	a := s.CIDR.Masked().Addr().Next()
	for a == s.Gateway || slices.Contains(used, a) {
		a = a.Next()
	}
	return a
}

// used lists the addresses of a network's ports and floating IPs.
func (c *Cloud) used(n *Network) []netip.Addr {
	used := slices.Clone(n.Metadata.Addresses)
	for _, p := range c.state.Ports {
		if p.Network == n.Name {
			used = append(used, p.Addresses...)
		}
	}
	for _, r := range c.state.Routers {
		for _, p := range r.ports() {
			if p.Network == n.Name {
				used = append(used, p.Addresses...)
			}
		}
	}
	for _, fip := range c.state.FloatingIPs {
		used = append(used, fip.Address)
	}
	return used
}

// slaac is the address of RFC 4862 with the interface identifier of RFC 2464 (EUI-64).
func slaac(prefix netip.Prefix, mac string) netip.Addr {
	b := prefix.Masked().Addr().As16()
	var m [6]byte
	for i, part := range strings.Split(mac, ":") {
		v, err := strconv.ParseUint(part, 16, 8)
		if err != nil || i > 5 {
			return netip.Addr{}
		}
		m[i] = byte(v)
	}
	copy(b[8:], []byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	return netip.AddrFrom16(b)
}
