// Code generated from columns.txt by go generate. DO NOT EDIT.

package vswitch

import "ovnbgp/internal/client/ovsdb"

// Database is the name of the schema.
const Database = "Open_vSwitch"

// Tables are the tables we read; an ovsdb.Client fills those that its server has.
type Tables struct {
	OpenVSwitch *ovsdb.Table[OpenVSwitch]
	Bridge      *ovsdb.Table[Bridge]
	Port        *ovsdb.Table[Port]
	Interface   *ovsdb.Table[Interface]
}

// New returns empty tables.
func New() *Tables {
	return &Tables{
		OpenVSwitch: ovsdb.NewTable("Open_vSwitch", (*OpenVSwitch).field,
			"bridges", "external_ids", "other_config", "ovs_version", "next_cfg", "cur_cfg"),
		Bridge: ovsdb.NewTable("Bridge", (*Bridge).field,
			"name", "ports", "datapath_type", "datapath_id", "protocols", "fail_mode", "other_config", "external_ids"),
		Port: ovsdb.NewTable("Port", (*Port).field,
			"name", "interfaces", "tag", "trunks", "vlan_mode", "other_config", "external_ids"),
		Interface: ovsdb.NewTable("Interface", (*Interface).field,
			"name", "type", "options", "mac_in_use", "ofport", "ifindex", "admin_state", "link_state",
			"error", "external_ids"),
	}
}

// Stores returns all tables.
func (t *Tables) Stores() []ovsdb.Store {
	return []ovsdb.Store{
		t.OpenVSwitch,
		t.Bridge,
		t.Port,
		t.Interface,
	}
}

// OpenVSwitch is a row of Open_vSwitch. The one row that describes the switch as a whole.
type OpenVSwitch struct {
	Bridges     []ovsdb.UUID // rows of Bridge
	ExternalIDs ovsdb.Map    // the node's identity and OVN's settings: "system-id", "ovn-remote", "ovn-bridge-mappings", …
	OtherConfig ovsdb.Map
	OVSVersion  ovsdb.Optional[string]
	NextCfg     int64 // what the database asks for
	CurCfg      int64 // what ovs-vswitchd has done; it follows next_cfg
}

func (r *OpenVSwitch) field(column string) any {
	switch column {
	case "bridges":
		return &r.Bridges
	case "external_ids":
		return &r.ExternalIDs
	case "other_config":
		return &r.OtherConfig
	case "ovs_version":
		return &r.OVSVersion
	case "next_cfg":
		return &r.NextCfg
	case "cur_cfg":
		return &r.CurCfg
	}
	return nil
}

// Bridge is a row of Bridge. A bridge.
type Bridge struct {
	Name         string
	Ports        []ovsdb.UUID // rows of Port
	DatapathType string       // "" and "system" is the kernel's
	DatapathID   ovsdb.Optional[string]
	Protocols    []string // OpenFlow versions allowed, none for the default
	FailMode     ovsdb.Optional[string]
	OtherConfig  ovsdb.Map
	ExternalIDs  ovsdb.Map
}

func (r *Bridge) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "ports":
		return &r.Ports
	case "datapath_type":
		return &r.DatapathType
	case "datapath_id":
		return &r.DatapathID
	case "protocols":
		return &r.Protocols
	case "fail_mode":
		return &r.FailMode
	case "other_config":
		return &r.OtherConfig
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// Port is a row of Port. A port of a bridge.
type Port struct {
	Name        string
	Interfaces  []ovsdb.UUID          // rows of Interface, more than one for a bond
	Tag         ovsdb.Optional[int64] // the access VLAN
	Trunks      []int64
	VlanMode    ovsdb.Optional[string]
	OtherConfig ovsdb.Map
	ExternalIDs ovsdb.Map
}

func (r *Port) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "interfaces":
		return &r.Interfaces
	case "tag":
		return &r.Tag
	case "trunks":
		return &r.Trunks
	case "vlan_mode":
		return &r.VlanMode
	case "other_config":
		return &r.OtherConfig
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}

// Interface is a row of Interface. A device attached to a port.
type Interface struct {
	Name        string
	Type        string // "" for a device of the system, "internal", "patch", "geneve", "dpdk", …
	Options     ovsdb.Map
	MACInUse    ovsdb.Optional[string]
	Ofport      ovsdb.Optional[int64] // the OpenFlow port number; -1 when it could not be attached
	Ifindex     ovsdb.Optional[int64]
	AdminState  ovsdb.Optional[string] // "up" or "down"
	LinkState   ovsdb.Optional[string] // "up" or "down"
	Error       ovsdb.Optional[string] // why it could not be attached
	ExternalIDs ovsdb.Map              // "iface-id" names the logical switch port
}

func (r *Interface) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "type":
		return &r.Type
	case "options":
		return &r.Options
	case "mac_in_use":
		return &r.MACInUse
	case "ofport":
		return &r.Ofport
	case "ifindex":
		return &r.Ifindex
	case "admin_state":
		return &r.AdminState
	case "link_state":
		return &r.LinkState
	case "error":
		return &r.Error
	case "external_ids":
		return &r.ExternalIDs
	}
	return nil
}
