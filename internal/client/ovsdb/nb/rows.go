// Code generated from columns.txt by go generate. DO NOT EDIT.

package nb

import "ovnbgp/internal/client/ovsdb"

// Database is the name of the schema.
const Database = "OVN_Northbound"

// Tables are the tables we read; an ovsdb.Client fills those that its server has.
type Tables struct {
	NBGlobal                 *ovsdb.Table[NBGlobal]
	LogicalSwitch            *ovsdb.Table[LogicalSwitch]
	LogicalSwitchPort        *ovsdb.Table[LogicalSwitchPort]
	LogicalRouter            *ovsdb.Table[LogicalRouter]
	LogicalRouterPort        *ovsdb.Table[LogicalRouterPort]
	LogicalRouterStaticRoute *ovsdb.Table[LogicalRouterStaticRoute]
	NAT                      *ovsdb.Table[NAT]
	LoadBalancer             *ovsdb.Table[LoadBalancer]
	LoadBalancerGroup        *ovsdb.Table[LoadBalancerGroup]
	DHCPOptions              *ovsdb.Table[DHCPOptions]
	HAChassisGroup           *ovsdb.Table[HAChassisGroup]
	HAChassis                *ovsdb.Table[HAChassis]
	GatewayChassis           *ovsdb.Table[GatewayChassis]
}

// New returns empty tables.
func New() *Tables {
	return &Tables{
		NBGlobal: ovsdb.NewTable("NB_Global", (*NBGlobal).field,
			"external_ids", "options"),
		LogicalSwitch: ovsdb.NewTable("Logical_Switch", (*LogicalSwitch).field,
			"name", "ports", "load_balancer", "load_balancer_group", "other_config", "external_ids"),
		LogicalSwitchPort: ovsdb.NewTable("Logical_Switch_Port", (*LogicalSwitchPort).field,
			"name", "type", "options", "parent_name", "tag_request", "tag", "addresses", "dynamic_addresses",
			"up", "enabled", "dhcpv4_options", "dhcpv6_options", "ha_chassis_group", "external_ids"),
		LogicalRouter: ovsdb.NewTable("Logical_Router", (*LogicalRouter).field,
			"name", "ports", "static_routes", "nat", "load_balancer", "load_balancer_group", "enabled", "options",
			"external_ids"),
		LogicalRouterPort: ovsdb.NewTable("Logical_Router_Port", (*LogicalRouterPort).field,
			"name", "mac", "networks", "peer", "enabled", "gateway_chassis", "ha_chassis_group", "options",
			"status", "external_ids"),
		LogicalRouterStaticRoute: ovsdb.NewTable("Logical_Router_Static_Route", (*LogicalRouterStaticRoute).field,
			"route_table", "ip_prefix", "nexthop", "policy", "output_port", "external_ids"),
		NAT: ovsdb.NewTable("NAT", (*NAT).field,
			"type", "external_ip", "external_mac", "logical_ip", "logical_port", "gateway_port", "options", "external_ids"),
		LoadBalancer: ovsdb.NewTable("Load_Balancer", (*LoadBalancer).field,
			"name", "protocol", "vips", "options", "external_ids"),
		LoadBalancerGroup: ovsdb.NewTable("Load_Balancer_Group", (*LoadBalancerGroup).field,
			"name", "load_balancer"),
		DHCPOptions: ovsdb.NewTable("DHCP_Options", (*DHCPOptions).field,
			"cidr", "options", "external_ids"),
		HAChassisGroup: ovsdb.NewTable("HA_Chassis_Group", (*HAChassisGroup).field,
			"name", "ha_chassis", "external_ids"),
		HAChassis: ovsdb.NewTable("HA_Chassis", (*HAChassis).field,
			"chassis_name", "priority", "external_ids"),
		GatewayChassis: ovsdb.NewTable("Gateway_Chassis", (*GatewayChassis).field,
			"name", "chassis_name", "priority", "options", "external_ids"),
	}
}

// Stores returns all tables.
func (t *Tables) Stores() []ovsdb.Store {
	return []ovsdb.Store{
		t.NBGlobal,
		t.LogicalSwitch,
		t.LogicalSwitchPort,
		t.LogicalRouter,
		t.LogicalRouterPort,
		t.LogicalRouterStaticRoute,
		t.NAT,
		t.LoadBalancer,
		t.LoadBalancerGroup,
		t.DHCPOptions,
		t.HAChassisGroup,
		t.HAChassis,
		t.GatewayChassis,
	}
}

// NBGlobal is a row of NB_Global. The one row that describes the cloud as a whole.
type NBGlobal struct {
	ExternalIDs ovsdb.Map // what the cloud management keeps here, "neutron:fip-distributed" among it
	Options     ovsdb.Map // northd's settings
}

func (r *NBGlobal) field(column string) any {
	switch column {
	case "external_ids":
		return &r.ExternalIDs
	case "options":
		return &r.Options
	}
	return nil
}

// LogicalSwitch is a row of Logical_Switch. A network.
type LogicalSwitch struct {
	Name              string       // "neutron-" and the network's UUID
	Ports             []ovsdb.UUID // rows of Logical_Switch_Port
	LoadBalancer      []ovsdb.UUID // rows of Load_Balancer
	LoadBalancerGroup []ovsdb.UUID // rows of Load_Balancer_Group
	OtherConfig       ovsdb.Map
	ExternalIDs       ovsdb.Map
}

func (r *LogicalSwitch) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "ports":
		return &r.Ports
	case "load_balancer":
		return &r.LoadBalancer
	case "load_balancer_group":
		return &r.LoadBalancerGroup
	case "other_config":
		return &r.OtherConfig
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LogicalSwitchPort is a row of Logical_Switch_Port. A port of a network.
type LogicalSwitchPort struct {
	Name             string // unique in the database
	Type             string // "" for a machine's, else "router", "localnet", "localport", "virtual", "external", …
	Options          ovsdb.Map
	ParentName       ovsdb.Optional[string] // of a nested port: the name of the port that carries it
	TagRequest       ovsdb.Optional[int64]  // the VLAN the cloud management asks for
	Tag              ovsdb.Optional[int64]  // the VLAN in use
	Addresses        []string               // "MAC IP…", "router", "unknown", "dynamic"
	DynamicAddresses ovsdb.Optional[string]
	Up               ovsdb.Optional[bool]       // northd writes it
	Enabled          ovsdb.Optional[bool]       // absent means enabled
	DHCPv4Options    ovsdb.Optional[ovsdb.UUID] // a row of DHCP_Options
	DHCPv6Options    ovsdb.Optional[ovsdb.UUID] // a row of DHCP_Options
	HAChassisGroup   ovsdb.Optional[ovsdb.UUID] // of an external port: who answers for it
	ExternalIDs      ovsdb.Map
}

func (r *LogicalSwitchPort) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "type":
		return &r.Type
	case "options":
		return &r.Options
	case "parent_name":
		return &r.ParentName
	case "tag_request":
		return &r.TagRequest
	case "tag":
		return &r.Tag
	case "addresses":
		return &r.Addresses
	case "dynamic_addresses":
		return &r.DynamicAddresses
	case "up":
		return &r.Up
	case "enabled":
		return &r.Enabled
	case "dhcpv4_options":
		return &r.DHCPv4Options
	case "dhcpv6_options":
		return &r.DHCPv6Options
	case "ha_chassis_group":
		return &r.HAChassisGroup
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LogicalRouter is a row of Logical_Router. A router.
type LogicalRouter struct {
	Name              string               // "neutron-" and the router's UUID
	Ports             []ovsdb.UUID         // rows of Logical_Router_Port
	StaticRoutes      []ovsdb.UUID         // rows of Logical_Router_Static_Route
	NAT               []ovsdb.UUID         // rows of NAT
	LoadBalancer      []ovsdb.UUID         // rows of Load_Balancer
	LoadBalancerGroup []ovsdb.UUID         // rows of Load_Balancer_Group
	Enabled           ovsdb.Optional[bool] // absent means enabled
	Options           ovsdb.Map
	ExternalIDs       ovsdb.Map
}

func (r *LogicalRouter) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "ports":
		return &r.Ports
	case "static_routes":
		return &r.StaticRoutes
	case "nat":
		return &r.NAT
	case "load_balancer":
		return &r.LoadBalancer
	case "load_balancer_group":
		return &r.LoadBalancerGroup
	case "enabled":
		return &r.Enabled
	case "options":
		return &r.Options
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LogicalRouterPort is a row of Logical_Router_Port. A router's interface.
type LogicalRouterPort struct {
	Name           string // "lrp-" and the port's UUID
	MAC            string
	Networks       []string               // address and prefix length
	Peer           ovsdb.Optional[string] // name of the router port at the other end
	Enabled        ovsdb.Optional[bool]   // absent means enabled
	GatewayChassis []ovsdb.UUID           // rows of Gateway_Chassis
	HAChassisGroup ovsdb.Optional[ovsdb.UUID]
	Options        ovsdb.Map
	Status         ovsdb.Map // "hosting-chassis": northd writes it since OVN 23.09
	ExternalIDs    ovsdb.Map
}

func (r *LogicalRouterPort) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "mac":
		return &r.MAC
	case "networks":
		return &r.Networks
	case "peer":
		return &r.Peer
	case "enabled":
		return &r.Enabled
	case "gateway_chassis":
		return &r.GatewayChassis
	case "ha_chassis_group":
		return &r.HAChassisGroup
	case "options":
		return &r.Options
	case "status":
		return &r.Status
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LogicalRouterStaticRoute is a row of Logical_Router_Static_Route. A static route of a router.
type LogicalRouterStaticRoute struct {
	RouteTable  string                 // "" is the main one
	IPPrefix    string                 // an address or prefix
	Nexthop     string                 // an address, or "discard"
	Policy      ovsdb.Optional[string] // "dst-ip", which absence means too, or "src-ip"
	OutputPort  ovsdb.Optional[string]
	ExternalIDs ovsdb.Map
}

func (r *LogicalRouterStaticRoute) field(column string) any {
	switch column {
	case "route_table":
		return &r.RouteTable
	case "ip_prefix":
		return &r.IPPrefix
	case "nexthop":
		return &r.Nexthop
	case "policy":
		return &r.Policy
	case "output_port":
		return &r.OutputPort
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// NAT is a row of NAT. A translation of a router.
type NAT struct {
	Type        string // "snat", "dnat" or "dnat_and_snat"
	ExternalIP  string
	ExternalMAC ovsdb.Optional[string]     // set makes a translation distributed
	LogicalIP   string                     // an address, for snat also a prefix
	LogicalPort ovsdb.Optional[string]     // the port that has logical_ip
	GatewayPort ovsdb.Optional[ovsdb.UUID] // a row of Logical_Router_Port
	Options     ovsdb.Map
	ExternalIDs ovsdb.Map
}

func (r *NAT) field(column string) any {
	switch column {
	case "type":
		return &r.Type
	case "external_ip":
		return &r.ExternalIP
	case "external_mac":
		return &r.ExternalMAC
	case "logical_ip":
		return &r.LogicalIP
	case "logical_port":
		return &r.LogicalPort
	case "gateway_port":
		return &r.GatewayPort
	case "options":
		return &r.Options
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LoadBalancer is a row of Load_Balancer. A load balancer, one row for each protocol.
type LoadBalancer struct {
	Name        string
	Protocol    ovsdb.Optional[string] // "tcp", which absence means too, "udp" or "sctp"
	VIPs        ovsdb.Map              // from "IP:port" to "IP:port,…"
	Options     ovsdb.Map
	ExternalIDs ovsdb.Map
}

func (r *LoadBalancer) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "protocol":
		return &r.Protocol
	case "vips":
		return &r.VIPs
	case "options":
		return &r.Options
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LoadBalancerGroup is a row of Load_Balancer_Group. Load balancers that are attached together. OVN 22.03 brought it.
type LoadBalancerGroup struct {
	Name         string
	LoadBalancer []ovsdb.UUID // rows of Load_Balancer
}

func (r *LoadBalancerGroup) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "load_balancer":
		return &r.LoadBalancer
	}
	return nil
}

// DHCPOptions is a row of DHCP_Options. What DHCP answers in a subnet.
type DHCPOptions struct {
	CIDR        string
	Options     ovsdb.Map
	ExternalIDs ovsdb.Map
}

func (r *DHCPOptions) field(column string) any {
	switch column {
	case "cidr":
		return &r.CIDR
	case "options":
		return &r.Options
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// HAChassisGroup is a row of HA_Chassis_Group. Chassis that may serve something, the highest priority first.
type HAChassisGroup struct {
	Name        string
	HAChassis   []ovsdb.UUID // rows of HA_Chassis
	ExternalIDs ovsdb.Map
}

func (r *HAChassisGroup) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "ha_chassis":
		return &r.HAChassis
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// HAChassis is a row of HA_Chassis. One chassis of a group.
type HAChassis struct {
	ChassisName string
	Priority    int64
	ExternalIDs ovsdb.Map
}

func (r *HAChassis) field(column string) any {
	switch column {
	case "chassis_name":
		return &r.ChassisName
	case "priority":
		return &r.Priority
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// GatewayChassis is a row of Gateway_Chassis. A chassis that may host one router port.
type GatewayChassis struct {
	Name        string
	ChassisName string
	Priority    int64
	Options     ovsdb.Map
	ExternalIDs ovsdb.Map
}

func (r *GatewayChassis) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "chassis_name":
		return &r.ChassisName
	case "priority":
		return &r.Priority
	case "options":
		return &r.Options
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}
