package file

import (
	"net/netip"
	"time"

	"ovnbgp/internal/config"
)

// option is one option: what the reader, the checks and the reference file know of it.
type option struct {
	Group, Name string
	kind
	Default string // as written in a file; "" is unset
	Help    string
	Values  []string          // what a choice may be
	Built   []string          // those of Values that this version can do; nil: all
	Same    map[string]string // former names of values
	AlsoIn  []spelling        // other places and names that mean this option
}

// spelling is a group and a name.
type spelling struct{ Group, Name string }

func (o option) spelling() spelling { return spelling{o.Group, o.Name} }

// String returns "[DEFAULT] driver".
func (s spelling) String() string { return "[" + s.Group + "] " + s.Name }

// group is a group of options. An unknown option in an old agent's group is a warning, in ours an error.
type group struct {
	Name string
	Ours bool
	Help string
	// Named makes the options of one of several groups, "[Name:name]", and a place for them; nil: there is one group.
	Named   func(n *named, name string) []option
	Names   []string // what a name may be; nil: anything that isName takes
	Taken   []string // names that it may not be
	Example string   // for the reference: a few of them, filled in
}

func groups() []group {
	return []group{
		{Name: "DEFAULT", Help: "What is announced, and how."},
		{Name: "agent", Help: "Accepted for the old agent's sake."},
		{Name: "ovn", Help: "Connections to OVN's central databases. Each option is accepted in [DEFAULT] too."},
		{Name: "local_ovn_cluster", Help: "The second, node-local OVN of exposing_method = ovn."},
		{Name: "bgp", Ours: true, Help: bgpHelp},
		peerGroup(), bfdGroup(), kindGroup(), hostAddressGroup(),
		{Name: "safety", Ours: true, Help: "What keeps a broken database from emptying the fabric, and how much is asked of a database."},
		{Name: "policy", Ours: true, Help: policyHelp},
		{Name: "paths", Ours: true, Help: "Where the agent meets others."},
		{Name: "log", Ours: true, Help: "The log, on standard error."},
		{Name: "metrics", Ours: true, Help: "Prometheus."},
	}
}

// options is the table of all options of groups that come once, in the order of the reference file. What [bgp] says of
// the node's BGP is written to b, and becomes settings when all is known.
func options(b *speech) []option {
	var all []option
	for _, part := range [][]option{
		driverOptions(), tenantOptions(), vrfOptions(), evpnOptions(), switchOptions(), agentOptions(),
		centralOptions(), localClusterOptions(), bgpOptions(), instanceOptions(b), safetyOptions(), policyOptions(), pathOptions(), logOptions(),
	} {
		all = append(all, part...)
	}
	return all
}

func driverOptions() []option {
	drivers := []string{string(config.DriverSB), string(config.DriverEVPN), string(config.DriverStretchedL2),
		string(config.DriverNB)}
	methods := []string{string(config.MethodUnderlay), string(config.MethodL2VNI), string(config.MethodVRF),
		string(config.MethodDynamic), string(config.MethodOVN), string(config.MethodNative)}
	return []option{
		{Group: "DEFAULT", Name: "driver", Default: string(config.DriverSB), Values: drivers,
			kind:   choice(func(s *config.Settings) *config.Driver { return &s.Node.Driver }, drivers...),
			Built:  []string{string(config.DriverNB), string(config.DriverSB), string(config.DriverStretchedL2)},
			Same:   map[string]string{"osp_ovn_bgp_driver": "ovn_bgp_driver", "osp_ovn_evpn_driver": "ovn_evpn_driver"},
			AlsoIn: []spelling{{"bgp", "bgp_speaker_driver"}},
			Help:   "Which of OVN's databases is read, and by which rules. nb_ovn_bgp_driver is recommended."},
		{Group: "DEFAULT", Name: "exposing_method", Default: string(config.MethodUnderlay), Values: methods,
			kind:  choice(func(s *config.Settings) *config.Method { return &s.Node.Method }, methods...),
			Built: []string{string(config.MethodUnderlay)},
			Help:  "How packets for an announced address get from the fabric into OVN."},
		{Group: "DEFAULT", Name: "reconcile_interval", Default: "300",
			kind: seconds(func(s *config.Settings) *time.Duration { return &s.ReconcileInterval }, 0),
			Help: "After this time everything is read anew and compared, though nothing notified. 0: never."},
		{Group: "DEFAULT", Name: "frr_reconcile_interval", Default: "15",
			kind: seconds(func(s *config.Settings) *time.Duration { return &s.FRRReconcileInterval }, 0),
			Help: "FRR's configuration is looked at this often; every 5 seconds when this is more. 0: only when FRR " +
				"comes back, and with everything else."},
	}
}

func tenantOptions() []option {
	methods := []string{string(config.TenantHost), string(config.TenantSubnet)}
	return []option{
		{Group: "DEFAULT", Name: "expose_tenant_networks", Default: "false",
			kind: boolean(func(s *config.Settings) *bool { return &s.Node.ExposeTenantNetworks }),
			Help: "Announce addresses of tenant networks, on the node that hosts their router's gateway."},
		{Group: "DEFAULT", Name: "expose_ipv6_gua_tenant_networks", Default: "false",
			kind: boolean(func(s *config.Settings) *bool { return &s.Node.ExposeGUAOnly }),
			Help: "Announce only the global unicast IPv6 addresses of tenant networks. expose_tenant_networks " +
				"announces these and all others, whatever this says."},
		{Group: "DEFAULT", Name: "advertisement_method_tenant_networks", Default: string(config.TenantHost), Values: methods,
			kind: choice(func(s *config.Settings) *config.TenantMethod { return &s.Node.TenantMethod }, methods...),
			Help: "host: a /32 or /128 for each port of a tenant network. subnet: one prefix for each subnet."},
		{Group: "DEFAULT", Name: "require_snat_disabled_for_tenant_networks", Default: "false",
			kind: boolean(func(s *config.Settings) *bool { return &s.Node.RequireSNATDisabled }),
			Help: "Leave out tenant subnets that their router hides behind source NAT."},
		{Group: "DEFAULT", Name: "address_scopes",
			kind: uuids(func(s *config.Settings) *[]string { return &s.Node.AddressScopes }),
			Help: "Announce only tenant subnets of these Neutron address scopes. Empty: of all, and of none."},
	}
}

func vrfOptions() []option {
	return []option{
		{Group: "DEFAULT", Name: "bgp_AS", Default: "64999",
			kind:   asNumber(func(s *config.Settings) *uint32 { return &s.Node.AS }),
			AlsoIn: []spelling{{"bgp", "as"}},
			Help:   "The AS of this node: the one FRR's default instance runs with."},
		{Group: "DEFAULT", Name: "bgp_router_id",
			kind:   routerID(func(s *config.Settings) *netip.Addr { return &s.Node.RouterID }),
			AlsoIn: []spelling{{"bgp", "router_id"}},
			Help:   "Router id of the VRF's BGP instance. Empty: that of FRR's default instance."},
		{Group: "DEFAULT", Name: "bgp_vrf", Default: "bgp-vrf",
			kind: device(func(s *config.Settings) *string { return &s.Node.VRF }),
			Help: "VRF that holds the announced addresses. It forwards nothing."},
		{Group: "DEFAULT", Name: "bgp_vrf_table_id", Default: "10",
			kind: table(func(s *config.Settings) *uint32 { return &s.Node.VRFTable }),
			Help: "Routing table of that VRF."},
		{Group: "DEFAULT", Name: "bgp_nic", Default: "bgp-nic",
			kind: device(func(s *config.Settings) *string { return &s.Node.NIC }),
			Help: "Dummy device in that VRF. Every /32 and /128 on it is ours and is announced."},
		{Group: "DEFAULT", Name: "clear_vrf_routes_on_startup", Default: "false",
			kind: boolean(func(s *config.Settings) *bool { return &s.ClearVRFRoutes }),
			Help: "At start delete the routes of the VRF's table, but those of the kernel (scope host) and of BGP."},
		{Group: "DEFAULT", Name: "delete_vrf_on_disconnect", Default: "true",
			kind: boolean(func(s *config.Settings) *bool { return &s.DeleteVRF }),
			Help: "EVPN: when a VRF has lost its last network, delete it and its BGP instance."},
	}
}

func evpnOptions() []option {
	return []option{
		{Group: "DEFAULT", Name: "evpn_local_ip",
			kind: address(func(s *config.Settings) *netip.Addr { return &s.EVPN.LocalIP }),
			Help: "EVPN: source address of VXLAN. Must be set for exposing_method = vrf."},
		{Group: "DEFAULT", Name: "evpn_nic",
			kind: optionalDevice(func(s *config.Settings) *string { return &s.EVPN.NIC }),
			Help: "EVPN: while evpn_local_ip is empty, the device whose first address is the source."},
		{Group: "DEFAULT", Name: "evpn_udp_dstport", Default: "4789",
			kind: port(func(s *config.Settings) *uint16 { return &s.EVPN.UDPPort }),
			Help: "EVPN: UDP port of VXLAN."},
	}
}

func switchOptions() []option {
	return []option{
		// The old agent's own default is the path of a switch built by hand; no deployment has its socket there.
		{Group: "DEFAULT", Name: "ovsdb_connection", Default: "unix:/run/openvswitch/db.sock",
			kind: endpoint(func(s *config.Settings) *string { return &s.Switch.Endpoint }),
			Help: "The database of this node's Open vSwitch."},
		{Group: "DEFAULT", Name: "ovsdb_connection_timeout", Default: "180",
			kind: seconds(func(s *config.Settings) *time.Duration { return &s.Switch.Timeout }, 1),
			Help: "A connection attempt or transaction with OVN's databases may take this long."},
	}
}

func agentOptions() []option {
	return []option{
		{Group: "agent", Name: "root_helper", Default: "sudo",
			kind: text(func(*config.Settings) *string { return new(string) }),
			Help: "Without effect: no command is run as another user."},
	}
}

func centralOptions() []option {
	return append(
		databaseOptions("nb", "Northbound", "ovn-nb-remote",
			func(s *config.Settings) *config.Database { return &s.Northbound }),
		databaseOptions("sb", "Southbound", "ovn-remote",
			func(s *config.Settings) *config.Database { return &s.Southbound })...)
}

func databaseOptions(short, long, remote string, at field[config.Database]) []option {
	all := []option{
		{Name: "connection", Help: "OVN's " + long + " database. Empty: what external_ids:" + remote +
			" of the switch names.",
			kind: endpoints(func(s *config.Settings) *[]string { return &at(s).Endpoints })},
		{Name: "private_key", Default: "/etc/pki/tls/private/ovn_bgp_agent.key",
			Help: "Private key for ssl: connections to it.",
			kind: path(func(s *config.Settings) *string { return &at(s).TLS.Key })},
		{Name: "certificate", Default: "/etc/pki/tls/certs/ovn_bgp_agent.crt",
			Help: "Certificate of that key.",
			kind: path(func(s *config.Settings) *string { return &at(s).TLS.Certificate })},
		{Name: "ca_cert", Default: "/etc/ipa/ca.crt",
			Help: "Certificate authority that the server's certificate must come from.",
			kind: path(func(s *config.Settings) *string { return &at(s).TLS.CA })},
	}
	for i := range all {
		all[i].Group, all[i].Name = "ovn", "ovn_"+short+"_"+all[i].Name
		all[i].AlsoIn = []spelling{{"DEFAULT", all[i].Name}}
	}
	return all
}

func localClusterOptions() []option {
	at := func(s *config.Settings) *config.LocalCluster { return &s.LocalCluster }
	return []option{
		{Group: "local_ovn_cluster", Name: "ovn_nb_connection", Default: "unix:/var/run/ovn/ovnnb_db.sock",
			kind: endpoints(func(s *config.Settings) *[]string { return &at(s).Endpoints }),
			Help: "Its Northbound database."},
		{Group: "local_ovn_cluster", Name: "external_nics",
			kind: devices(func(s *config.Settings) *[]string { return &at(s).NICs }),
			Help: "Physical devices, one in each external bridge."},
		{Group: "local_ovn_cluster", Name: "peer_ips",
			kind: addresses(func(s *config.Settings) *[]netip.Addr { return &at(s).Peers }),
			Help: "Next hops, the leaves' addresses. Several are used together."},
		{Group: "local_ovn_cluster", Name: "provider_networks_pool_prefixes", Default: "192.168.0.0/16",
			kind: prefixes(func(s *config.Settings) *[]netip.Prefix { return &at(s).ProviderPrefixes }),
			Help: "Prefixes that cover all provider networks."},
		{Group: "local_ovn_cluster", Name: "bgp_chassis_id", Default: "bgp",
			kind: text(func(s *config.Settings) *string { return &at(s).ChassisID }),
			Help: "system-id of the second ovn-controller; its keys in external_ids end in it."},
	}
}
