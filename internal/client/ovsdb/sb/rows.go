// Code generated from columns.txt by go generate. DO NOT EDIT.

package sb

import "ovnbgp/internal/client/ovsdb"

// Database is the name of the schema.
const Database = "OVN_Southbound"

// Tables are the tables we read; an ovsdb.Client fills those that its server has.
type Tables struct {
	SBGlobal        *ovsdb.Table[SBGlobal]
	Chassis         *ovsdb.Table[Chassis]
	DatapathBinding *ovsdb.Table[DatapathBinding]
	PortBinding     *ovsdb.Table[PortBinding]
	LoadBalancer    *ovsdb.Table[LoadBalancer]
	LogicalDPGroup  *ovsdb.Table[LogicalDPGroup]
	HAChassisGroup  *ovsdb.Table[HAChassisGroup]
	HAChassis       *ovsdb.Table[HAChassis]
}

// New returns empty tables.
func New() *Tables {
	return &Tables{
		SBGlobal: ovsdb.NewTable("SB_Global", (*SBGlobal).field,
			"options"),
		Chassis: ovsdb.NewTable("Chassis", (*Chassis).field,
			"name", "hostname"),
		DatapathBinding: ovsdb.NewTable("Datapath_Binding", (*DatapathBinding).field,
			"external_ids"),
		PortBinding: ovsdb.NewTable("Port_Binding", (*PortBinding).field,
			"logical_port", "type", "options", "datapath", "parent_port", "tag", "chassis", "requested_chassis",
			"ha_chassis_group", "mac", "nat_addresses", "up", "external_ids"),
		LoadBalancer: ovsdb.NewTable("Load_Balancer", (*LoadBalancer).field,
			"name", "protocol", "vips", "datapaths", "datapath_group", "ls_datapath_group", "lr_datapath_group"),
		LogicalDPGroup: ovsdb.NewTable("Logical_DP_Group", (*LogicalDPGroup).field,
			"datapaths"),
		HAChassisGroup: ovsdb.NewTable("HA_Chassis_Group", (*HAChassisGroup).field,
			"name", "ha_chassis"),
		HAChassis: ovsdb.NewTable("HA_Chassis", (*HAChassis).field,
			"chassis", "priority", "external_ids"),
	}
}

// Stores returns all tables.
func (t *Tables) Stores() []ovsdb.Store {
	return []ovsdb.Store{
		t.SBGlobal,
		t.Chassis,
		t.DatapathBinding,
		t.PortBinding,
		t.LoadBalancer,
		t.LogicalDPGroup,
		t.HAChassisGroup,
		t.HAChassis,
	}
}

// SBGlobal is a row of SB_Global. The one row that describes the cloud as a whole.
type SBGlobal struct {
	Options ovsdb.Map // northd's version among it; not nb_cfg, which changes all the time
}

func (r *SBGlobal) field(column string) any {
	switch column {
	case "options":
		return &r.Options
	}
	return nil
}

// Chassis is a row of Chassis. A node that runs ovn-controller.
type Chassis struct {
	Name     string // external_ids:system-id of its switch
	Hostname string
}

func (r *Chassis) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "hostname":
		return &r.Hostname
	}
	return nil
}

// DatapathBinding is a row of Datapath_Binding. A logical switch or a logical router.
type DatapathBinding struct {
	ExternalIDs ovsdb.Map // "logical-switch" or "logical-router" (the Northbound row's UUID), "name", "name2"
}

func (r *DatapathBinding) field(column string) any {
	switch column {
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// PortBinding is a row of Port_Binding. A port of either.
type PortBinding struct {
	LogicalPort      string // the Northbound port's name, "cr-" before it for a gateway's place
	Type             string // "" for a machine's, else "patch", "l3gateway", "chassisredirect", "localnet", "virtual", …
	Options          ovsdb.Map
	Datapath         ovsdb.UUID                 // a row of Datapath_Binding
	ParentPort       ovsdb.Optional[string]     // of a nested port: the name of the port that carries it
	Tag              ovsdb.Optional[int64]      // the VLAN in use
	Chassis          ovsdb.Optional[ovsdb.UUID] // a row of Chassis: the one that has claimed it
	RequestedChassis ovsdb.Optional[ovsdb.UUID] // the one that is to claim it; there are conditions on it, so it is monitored
	HAChassisGroup   ovsdb.Optional[ovsdb.UUID] // of a gateway's place, or an external port: who may claim it
	MAC              []string                   // "MAC IP…", of a router's port with prefix lengths; "router", "unknown"
	NATAddresses     []string                   // "MAC IP… is_chassis_resident("port")"
	Up               ovsdb.Optional[bool]       // its chassis has made it work
	ExternalIDs      ovsdb.Map                  // a copy of the Northbound port's
}

func (r *PortBinding) field(column string) any {
	switch column {
	case "logical_port":
		return &r.LogicalPort
	case "type":
		return &r.Type
	case "options":
		return &r.Options
	case "datapath":
		return &r.Datapath
	case "parent_port":
		return &r.ParentPort
	case "tag":
		return &r.Tag
	case "chassis":
		return &r.Chassis
	case "requested_chassis":
		return &r.RequestedChassis
	case "ha_chassis_group":
		return &r.HAChassisGroup
	case "mac":
		return &r.MAC
	case "nat_addresses":
		return &r.NATAddresses
	case "up":
		return &r.Up
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// LoadBalancer is a row of Load_Balancer. A load balancer that is attached to something; its UUID is the Northbound row's.
type LoadBalancer struct {
	Name            string
	Protocol        ovsdb.Optional[string]     // "tcp", which absence means too, "udp" or "sctp"
	VIPs            ovsdb.Map                  // from "IP:port" to "IP:port,…"
	Datapaths       []ovsdb.UUID               // rows of Datapath_Binding, before there were groups
	DatapathGroup   ovsdb.Optional[ovsdb.UUID] // logical switches, before ls_datapath_group
	LSDatapathGroup ovsdb.Optional[ovsdb.UUID] // logical switches
	LRDatapathGroup ovsdb.Optional[ovsdb.UUID] // logical routers; Debian 12's OVN has it not yet
}

func (r *LoadBalancer) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "protocol":
		return &r.Protocol
	case "vips":
		return &r.VIPs
	case "datapaths":
		return &r.Datapaths
	case "datapath_group":
		return &r.DatapathGroup
	case "ls_datapath_group":
		return &r.LSDatapathGroup
	case "lr_datapath_group":
		return &r.LRDatapathGroup
	}
	return nil
}

// LogicalDPGroup is a row of Logical_DP_Group. Datapaths that have something in common.
type LogicalDPGroup struct {
	Datapaths []ovsdb.UUID // rows of Datapath_Binding
}

func (r *LogicalDPGroup) field(column string) any {
	switch column {
	case "datapaths":
		return &r.Datapaths
	}
	return nil
}

// HAChassisGroup is a row of HA_Chassis_Group. Chassis that may serve something, the highest priority first.
type HAChassisGroup struct {
	Name      string
	HAChassis []ovsdb.UUID // rows of HA_Chassis
}

func (r *HAChassisGroup) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "ha_chassis":
		return &r.HAChassis
	}
	return nil
}

// HAChassis is a row of HA_Chassis. One chassis of a group.
type HAChassis struct {
	Chassis     ovsdb.Optional[ovsdb.UUID] // a row of Chassis, while there is one
	Priority    int64
	ExternalIDs ovsdb.Map // "chassis-name"
}

func (r *HAChassis) field(column string) any {
	switch column {
	case "chassis":
		return &r.Chassis
	case "priority":
		return &r.Priority
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}
