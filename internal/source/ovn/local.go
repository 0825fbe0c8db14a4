package ovn

import (
	"cmp"
	"slices"
	"strings"

	"ovnbgp/internal/client/ovsdb/vswitch"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// integrationBridge is ovn-controller's bridge where external_ids:ovn-bridge names no other.
const integrationBridge = "br-int"

// convertLocal converts the rows of the node's own switch; they are few enough to be converted together. known is the
// key in external_ids that keeps which central database was accepted.
func convertLocal(tables *vswitch.Tables, known string) ovn.Local {
	var local ovn.Local
	integration := integrationBridge
	for id, row := range tables.OpenVSwitch.All() {
		p := parser{table: "Open_vSwitch", row: id.String()}
		local.SystemID = row.ExternalIDs.Get("system-id")
		local.Hostname = row.ExternalIDs.Get("hostname")
		local.KnownDatabase = row.ExternalIDs.Get(known)
		local.Mappings = mappings(&p, row.ExternalIDs.Get("ovn-bridge-mappings"))
		for _, pair := range row.ExternalIDs {
			if strings.HasPrefix(pair.Key, model.MarkPrefix) {
				local.Marks = append(local.Marks, pair.Key)
			}
		}
		local.Faults = p.faults
		integration = cmp.Or(row.ExternalIDs.Get("ovn-bridge"), integrationBridge)
	}
	for _, row := range tables.Bridge.All() {
		switch {
		case slices.ContainsFunc(local.Mappings, func(m ovn.Mapping) bool { return m.Bridge == row.Name }):
			local.Bridges = append(local.Bridges, bridge(tables, row))
		case row.Name != integration:
			local.Bridges = append(local.Bridges, ovn.Bridge{Name: row.Name})
		}
	}
	slices.SortFunc(local.Bridges, func(a, b ovn.Bridge) int { return cmp.Compare(a.Name, b.Name) })
	for _, row := range tables.Interface.All() {
		if port := row.ExternalIDs.Get("iface-id"); port != "" {
			local.Interfaces = append(local.Interfaces, port)
		}
	}
	slices.Sort(local.Interfaces)
	local.Interfaces = slices.Compact(local.Interfaces)
	return local
}

// mappings reads "physnet:bridge,…". An item that is not of this form is a fault and still counts, because an item's
// place in the list decides addresses on its bridge.
func mappings(p *parser, list string) (out []ovn.Mapping) {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	for i, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		network, name, _ := strings.Cut(item, ":")
		network, name = strings.TrimSpace(network), strings.TrimSpace(name)
		if network == "" || name == "" || strings.Contains(name, ":") {
			p.fault("external_ids:ovn-bridge-mappings", item, "not of the form physnet:bridge")
			continue
		}
		out = append(out, ovn.Mapping{Index: i + 1, PhysicalNetwork: network, Bridge: name})
	}
	return out
}

// bridge converts a row of Bridge. Its own interface has its name.
func bridge(tables *vswitch.Tables, row *vswitch.Bridge) ovn.Bridge {
	b := ovn.Bridge{Name: row.Name, Protocols: row.Protocols}
	for _, i := range interfaces(tables, row) {
		if i.Name == row.Name {
			b.MAC = strings.ToLower(i.MACInUse.Value)
		}
		b.Ports = append(b.Ports, ovn.OVSPort{Name: i.Name, Type: i.Type, OFPort: int(max(i.Ofport.Value, 0))})
	}
	slices.SortFunc(b.Ports, func(x, y ovn.OVSPort) int { return cmp.Compare(x.Name, y.Name) })
	return b
}

func interfaces(tables *vswitch.Tables, row *vswitch.Bridge) (out []*vswitch.Interface) {
	for _, id := range row.Ports {
		port := tables.Port.Get(id)
		if port == nil {
			continue
		}
		for _, id := range port.Interfaces {
			if i := tables.Interface.Get(id); i != nil {
				out = append(out, i)
			}
		}
	}
	return out
}

// anyChanged reports whether a table has changed rows.
func anyChanged(tables *vswitch.Tables) bool {
	return len(changed(tables.OpenVSwitch))+len(changed(tables.Bridge))+len(changed(tables.Port))+
		len(changed(tables.Interface)) > 0
}

// remote returns the central database that the switch names under a key of external_ids.
func remote(tables *vswitch.Tables, key string) string {
	for _, row := range tables.OpenVSwitch.All() {
		return row.ExternalIDs.Get(key)
	}
	return ""
}
