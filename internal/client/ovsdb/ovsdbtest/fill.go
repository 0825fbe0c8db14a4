package ovsdbtest

import (
	"fmt"
	"testing"

	"ovnbgp/internal/client/ovsdb"
)

const portsPerSwitch = 250

// Fill adds a multiple of 250 ports to a Northbound database, in networks of 250.
func (s *Server) Fill(t testing.TB, ports int) {
	t.Helper()
	for n := range ports / portsPerSwitch {
		s.Transact(t, fullSwitch(n)...)
	}
}

// fullSwitch makes a network of ports that have what Neutron writes.
func fullSwitch(s int) []ovsdb.Operation {
	network := fmt.Sprintf("neutron-%08x-0000-4000-8000-000000000000", s)
	var operations []ovsdb.Operation
	var ports ovsdb.Set
	for p := range portsPerSwitch {
		n := s*portsPerSwitch + p
		name := ovsdb.Named(fmt.Sprintf("p%d", n))
		address := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
		mac := fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", n>>16, n>>8&255, n&255)
		ports = append(ports, name)
		operations = append(operations, ovsdb.Insert("Logical_Switch_Port", string(name), ovsdb.Columns{
			"name": fmt.Sprintf("%08x-1111-4111-8111-111111111111", n), "up": true, "enabled": true,
			"addresses":     mac + " " + address,
			"port_security": mac + " " + address,
			"options": map[string]string{"requested-chassis": fmt.Sprintf("compute%d", n%100),
				"mcast_flood_reports": "true"},
			"external_ids": map[string]string{"neutron:cidrs": address + "/16",
				"neutron:device_id":    fmt.Sprintf("%08x-2222-4222-8222-222222222222", n),
				"neutron:device_owner": "compute:nova", "neutron:host_id": fmt.Sprintf("compute%d", n%100),
				"neutron:network_name": network, "neutron:port_capabilities": "", "neutron:port_name": "",
				"neutron:project_id": "0123456789abcdef0123456789abcdef", "neutron:revision_number": "4",
				"neutron:security_group_ids": "11111111-2222-4333-8444-555555555555", "neutron:vnic_type": "normal"},
		}))
	}
	return append(operations, ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": network, "ports": ports}))
}
