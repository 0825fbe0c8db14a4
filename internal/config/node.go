// Package config holds validated settings as plain values. Package config/file makes them from files; nothing
// here reads anything. Start at Settings for the whole, Node for what decisions depend on.
package config

import (
	"net/netip"
	"time"
)

// Node is what the decisions of package desired depend on.
type Node struct {
	Driver Driver
	Method Method

	AS       uint32     // bgp_AS
	RouterID netip.Addr // bgp_router_id; unset: the one FRR's default instance has
	VRF      string     // bgp_vrf
	VRFTable uint32     // bgp_vrf_table_id
	NIC      string     // bgp_nic

	// Tenant networks.
	ExposeTenantNetworks bool
	ExposeGUAOnly        bool         // expose_ipv6_gua_tenant_networks; ExposeTenantNetworks wins over it
	TenantMethod         TenantMethod // advertisement_method_tenant_networks
	RequireSNATDisabled  bool
	AddressScopes        []string // allowed Neutron address scopes (UUIDs); empty: no filter

	Policy Policy
	BGP    BGP
	// HostAddresses are the host's own that are announced while it has them, sorted by name.
	HostAddresses []HostAddress
}

// HostAddress is an address that is announced while the host has it and its check, if any, passes.
type HostAddress struct {
	Name    string
	Address netip.Addr
	Check   Check
}

// Check asks whether what an address stands for works. At most one of HTTP, TCP and Command is set; none: no check.
type Check struct {
	HTTP    string   // URL
	TCP     string   // "127.0.0.1:443"
	Command []string // a program and its arguments
	// Interval is the time from the end of one attempt to the next. An attempt that takes longer than Timeout has failed.
	Interval, Timeout time.Duration
	// Rise attempts in a row must succeed until what failed is taken to work again, Fall must fail for the opposite.
	Rise, Fall int
}

// IsSet tells whether there is anything to check.
func (c Check) IsSet() bool { return c.HTTP != "" || c.TCP != "" || len(c.Command) > 0 }

// Driver names the database and rules that decide what is announced, by the old agent's names.
type Driver string

// Drivers.
const (
	DriverNB          Driver = "nb_ovn_bgp_driver"
	DriverSB          Driver = "ovn_bgp_driver"
	DriverStretchedL2 Driver = "ovn_stretched_l2_bgp_driver"
	DriverEVPN        Driver = "ovn_evpn_driver"
)

// Southbound tells whether the driver reads the Southbound database; the others read the Northbound.
func (d Driver) Southbound() bool { return d != DriverNB }

// Method is how addresses reach the fabric (exposing_method).
type Method string

// Methods.
const (
	MethodUnderlay Method = "underlay"
	MethodVRF      Method = "vrf"
	MethodL2VNI    Method = "l2vni"
	MethodDynamic  Method = "dynamic"
	MethodOVN      Method = "ovn"
	MethodNative   Method = "native"
)

// TenantMethod is what is announced of a tenant network.
type TenantMethod string

// Tenant methods.
const (
	TenantHost   TenantMethod = "host"
	TenantSubnet TenantMethod = "subnet"
)

// ExposesTenants tells whether anything of tenant networks may be announced by itself.
func (n *Node) ExposesTenants() bool { return n.ExposeTenantNetworks || n.ExposeGUAOnly }
