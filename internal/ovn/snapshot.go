// Package ovn holds the nouns of OVN: what the Northbound or Southbound database and the local Open vSwitch
// say, as sorted, resolved, plain values that do not tell which database was read. Nothing here decides;
// package desired does. Start at Snapshot.
package ovn

import "net/netip"

// Snapshot is one consistent view of OVN and of the local switch. Values behind its pointers are shared between
// snapshots and never change. Each slice is sorted by the noun's name or, where it has none, its row UUID.
type Snapshot struct {
	// Database identifies the central database itself: its cluster id, else the UUID of its Global row.
	// It differs when someone has replaced the database by another.
	Database string `json:"database"`
	// DistributedFIPs is NB_Global external_ids:neutron:fip-distributed; nil when the key is absent, as it is
	// until Neutron's maintenance worker has run, and where it cannot be known.
	DistributedFIPs *bool `json:"distributedFIPs,omitempty"`
	// Bindings tells that the chassis of each port is known: one without a chassis is bound nowhere, whatever its row
	// asks for.
	Bindings bool `json:"bindings,omitempty"`
	// Tables names, by the noun's ("Logical_Switch_Port"), the table that the rows of a noun are from where it is
	// another.
	Tables map[string]string `json:"tables,omitempty"`
	// Absent names tables ("Load_Balancer") and columns ("Logical_Router_Port.status") that the server's schema
	// does not have: what they would say is unknown, not empty.
	Absent []string `json:"absent,omitempty"`

	Switches     []*LogicalSwitch     `json:"switches,omitempty"`
	Ports        []*LogicalSwitchPort `json:"ports,omitempty"`
	Routers      []*LogicalRouter     `json:"routers,omitempty"`
	RouterPorts  []*LogicalRouterPort `json:"routerPorts,omitempty"`
	NATs         []*NAT               `json:"nats,omitempty"`
	Balancers    []*LoadBalancer      `json:"loadBalancers,omitempty"`
	StaticRoutes []*StaticRoute       `json:"staticRoutes,omitempty"`
	DHCPOptions  []*DHCPOptions       `json:"dhcpOptions,omitempty"`
	HAGroups     []*HAChassisGroup    `json:"haChassisGroups,omitempty"`

	Local Local `json:"local"`
}

// A Fault is a value of a row that could not be understood. The row stays, without that value.
type Fault struct {
	Table  string `json:"table"`
	Row    string `json:"row"` // UUID
	Column string `json:"column"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// LogicalSwitch is a Neutron network, or any other logical switch.
type LogicalSwitch struct {
	UUID string `json:"uuid"`
	Name string `json:"name"` // "neutron-<network id>"
	// NetworkName is the name a person gave the network.
	NetworkName string `json:"networkName,omitempty"`
	// Labels are those of its external_ids that the configuration selects by.
	Labels map[string]string `json:"labels,omitempty"`
	Faults []Fault           `json:"faults,omitempty"`
}

// PortType is a logical switch port's type as OVN names it; VIF is the empty string.
type PortType string

// Port types that decisions distinguish.
const (
	PortVIF       PortType = ""
	PortVirtual   PortType = "virtual"
	PortExternal  PortType = "external"
	PortRouter    PortType = "router"
	PortLocalnet  PortType = "localnet"
	PortLocalport PortType = "localport"
)

// LogicalSwitchPort is a port of a logical switch.
type LogicalSwitchPort struct {
	UUID string `json:"uuid"`
	Name string `json:"name"` // with Neutron the port's id
	// PortName is external_ids:neutron:port_name, the name a person gave the port, in any characters.
	PortName string   `json:"portName,omitempty"`
	Switch   string   `json:"switch"` // name of the logical switch that has it; "" when none does
	Type     PortType `json:"type,omitempty"`
	// Up is what OVN says; nil before northd has said anything.
	Up *bool `json:"up,omitempty"`
	// Disabled is set when the enabled column says false.
	Disabled bool `json:"disabled,omitempty"`

	// MAC and Addresses are from the first element of the addresses column that names addresses. Where that
	// column knows none ("unknown" alone: port security off without DHCP), Addresses are those of CIDRs.
	MAC       string       `json:"mac,omitempty"` // lower case, "fa:16:3e:00:00:11"
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// CIDRs is external_ids:neutron:cidrs: each address with its subnet's length, host bits kept.
	CIDRs []netip.Prefix `json:"cidrs,omitempty"`

	// Where the port is: see desired for which of these counts.
	RequestedChassis []string `json:"requestedChassis,omitempty"` // options:requested-chassis, in its order
	HostID           string   `json:"hostID,omitempty"`           // external_ids:neutron:host_id
	ParentHost       string   `json:"parentHost,omitempty"`       // external_ids:neutron:parent_hostname
	ParentName       string   `json:"parentName,omitempty"`       // a subport's parent
	VirtualParents   []string `json:"virtualParents,omitempty"`   // a virtual port's possible parents
	HAGroup          string   `json:"haGroup,omitempty"`          // name of its HA_Chassis_Group (external ports)
	Chassis          string   `json:"chassis,omitempty"`          // name of the chassis that has bound it, where known

	DeviceOwner string     `json:"deviceOwner,omitempty"`
	DeviceID    string     `json:"deviceID,omitempty"`
	PortFIP     netip.Addr `json:"portFIP,omitzero"` // external_ids:neutron:port_fip
	ScopeV4     string     `json:"scopeV4,omitempty"`
	ScopeV6     string     `json:"scopeV6,omitempty"`
	RouterPort  string     `json:"routerPort,omitempty"` // options:router-port

	// Localnet ports only.
	PhysicalNetwork string `json:"physicalNetwork,omitempty"` // options:network_name
	Tag             int    `json:"tag,omitempty"`             // VLAN id; 0 when untagged

	// Labels are those of its external_ids that the configuration selects by.
	Labels map[string]string `json:"labels,omitempty"`
	Faults []Fault           `json:"faults,omitempty"`
}

// LogicalRouter is a router; Enabled is false only where the row says so.
type LogicalRouter struct {
	UUID       string `json:"uuid"`
	Name       string `json:"name"` // "neutron-<router id>"
	RouterName string `json:"routerName,omitempty"`
	Disabled   bool   `json:"disabled,omitempty"`
	// Labels are those of its external_ids that the configuration selects by.
	Labels map[string]string `json:"labels,omitempty"`
}

// LogicalRouterPort is a router's port; a gateway where HAGroup or chassis are set.
type LogicalRouterPort struct {
	UUID     string         `json:"uuid"`
	Name     string         `json:"name"`             // "lrp-<port id>"
	Router   string         `json:"router"`           // name of the router that has it
	Switch   string         `json:"switch,omitempty"` // name of the logical switch at its other end
	MAC      string         `json:"mac,omitempty"`
	Networks []netip.Prefix `json:"networks,omitempty"` // host bits kept
	// Gateway is external_ids:neutron:is_ext_gw, or, without that key, that chassis are assigned to the port.
	Gateway bool   `json:"gateway,omitempty"`
	HAGroup string `json:"haGroup,omitempty"` // name of its HA_Chassis_Group
	// HostingChassis is status:hosting-chassis, the chassis name that has claimed the gateway; "" when none has.
	HostingChassis string  `json:"hostingChassis,omitempty"`
	Faults         []Fault `json:"faults,omitempty"`
}

// NATType is a NAT row's type.
type NATType string

// NAT types.
const (
	DNATAndSNAT NATType = "dnat_and_snat"
	SNAT        NATType = "snat"
	DNAT        NATType = "dnat"
)

// NAT is a translation. A Neutron floating IP is one of type DNATAndSNAT, and its row UUID is the floating IP's id.
type NAT struct {
	// UUID is the row's. Where one row holds several translations it is followed by "/" and the address.
	UUID       string       `json:"uuid"`
	Type       NATType      `json:"type"`
	Router     string       `json:"router,omitempty"` // name of the router that has it
	ExternalIP netip.Addr   `json:"externalIP,omitzero"`
	LogicalIP  netip.Prefix `json:"logicalIP,omitzero"` // a host's as /32 or /128
	// ExternalMAC is set once a distributed floating IP's port has been up; it stays when the port goes down.
	ExternalMAC string `json:"externalMAC,omitempty"`
	LogicalPort string `json:"logicalPort,omitempty"`
	// FIPPort is external_ids:neutron:fip_port_id, the port that Neutron gave a floating IP to. That of a load
	// balancer's member has no LogicalPort: the gateway answers for it.
	FIPPort     string `json:"fipPort,omitempty"`
	GatewayPort string `json:"gatewayPort,omitempty"` // name of the logical router port
	// Network is the logical switch that ExternalIP belongs to: "neutron-" and external_ids:neutron:fip_network_id.
	Network string `json:"network,omitempty"`
	// Labels are those of its external_ids that the configuration selects by.
	Labels map[string]string `json:"labels,omitempty"`
	Faults []Fault           `json:"faults,omitempty"`
}

// LoadBalancer is one row: one protocol of a load balancer, or of a port forwarding.
type LoadBalancer struct {
	UUID     string       `json:"uuid"`
	Name     string       `json:"name"`
	Protocol string       `json:"protocol,omitempty"`
	VIPs     []netip.Addr `json:"vips,omitempty"`    // addresses of the vips column's keys, without doubles
	VIP      netip.Addr   `json:"vip,omitzero"`      // external_ids:neutron:vip
	VIPFIP   netip.Addr   `json:"vipFIP,omitzero"`   // external_ids:neutron:vip_fip
	VIPPort  string       `json:"vipPort,omitempty"` // external_ids:neutron:vip_port_id
	Router   string       `json:"router,omitempty"`  // external_ids:lr_ref or neutron:router_name: whom it is meant for
	// AdditionalVIPs is external_ids:neutron:additional_vips, sorted: of a dual-stack one the other address.
	AdditionalVIPs []netip.Addr `json:"additionalVIPs,omitempty"`
	// Disabled is set when external_ids:enabled says so; then the provider has taken the vips away.
	Disabled bool `json:"disabled,omitempty"`
	// Routers and Switches name, sorted, the routers and logical switches that it is attached to. Of a row that is
	// attached to none OVN makes nothing.
	Routers  []string `json:"routers,omitempty"`
	Switches []string `json:"switches,omitempty"`
	// Labels are those of its external_ids that the configuration selects by.
	Labels map[string]string `json:"labels,omitempty"`
	Faults []Fault           `json:"faults,omitempty"`
}

// StaticRoute is a router's static route.
type StaticRoute struct {
	UUID    string       `json:"uuid"`
	Router  string       `json:"router,omitempty"`
	Prefix  netip.Prefix `json:"prefix,omitzero"`
	NextHop netip.Addr   `json:"nextHop,omitzero"`
	Faults  []Fault      `json:"faults,omitempty"`
}

// DHCPOptions is what OVN answers to DHCP requests on one subnet.
type DHCPOptions struct {
	UUID    string       `json:"uuid"`
	Network string       `json:"network,omitempty"` // "neutron-" and external_ids:neutron:network_id
	CIDR    netip.Prefix `json:"cidr,omitzero"`
	Router  netip.Addr   `json:"router,omitzero"` // options:router
	Faults  []Fault      `json:"faults,omitempty"`
}

// HAChassisGroup is an ordered set of chassis that may host a port.
type HAChassisGroup struct {
	UUID    string      `json:"uuid"`
	Name    string      `json:"name"`
	Chassis []HAChassis `json:"chassis,omitempty"` // by falling priority, then name
}

// HAChassis is a member of a group.
type HAChassis struct {
	Name     string `json:"name"`
	Priority int    `json:"priority"`
}

// Local is the Open vSwitch of this node.
type Local struct {
	SystemID string    `json:"systemID"` // external_ids:system-id, OVN's name of this chassis
	Hostname string    `json:"hostname"` // external_ids:hostname; "" when absent
	Mappings []Mapping `json:"mappings,omitempty"`
	// Bridges are all bridges of the switch but the integration bridge (external_ids:ovn-bridge). Of those that are not
	// mapped only the name is told.
	Bridges []Bridge `json:"bridges,omitempty"`
	// Interfaces lists the logical ports that have an interface here (external_ids:iface-id), sorted.
	Interfaces []string `json:"interfaces,omitempty"`
	// KnownDatabase is the Snapshot.Database that this node last accepted: external_ids:ovnbgp-nb of the switch, or
	// ovnbgp-sb, for the database that is read.
	KnownDatabase string `json:"knownDatabase,omitempty"`
	// Marks lists the keys of external_ids that are ours, sorted.
	Marks  []string `json:"marks,omitempty"`
	Faults []Fault  `json:"faults,omitempty"`
}

// Mapping is an item of external_ids:ovn-bridge-mappings.
type Mapping struct {
	Index           int    `json:"index"` // its place in the list, from 1; items that do not parse count too
	PhysicalNetwork string `json:"physicalNetwork"`
	Bridge          string `json:"bridge"`
}

// Bridge is an OVS bridge with what we need to know of its ports.
type Bridge struct {
	Name      string    `json:"name"`
	MAC       string    `json:"mac,omitempty"` // mac_in_use of the bridge's own interface
	Protocols []string  `json:"protocols,omitempty"`
	Ports     []OVSPort `json:"ports,omitempty"`
}

// OVSPort is an interface of a provider bridge.
type OVSPort struct {
	Name   string `json:"name"`
	Type   string `json:"type,omitempty"`   // "patch", "internal", …
	OFPort int    `json:"ofport,omitempty"` // 0 while Open vSwitch has given it none
}

// Lacks tells whether the database's schema is without a table, or a column as "Table.column".
func (s *Snapshot) Lacks(name string) bool {
	for _, a := range s.Absent {
		if a == name {
			return true
		}
	}
	return false
}
