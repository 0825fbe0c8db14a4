package ovn

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
)

// placePrefix begins the name of the row that says where a gateway is; the router port's name follows.
const placePrefix = "cr-"

// updateRouterPorts converts the ports of routers that may be different: what is to be known of one is in three rows,
// its own, its gateway's place, and that of the switch's port at the other end.
func (s *Southbound) updateRouterPorts(ports set) {
	stale := set{}
	for id := range ports {
		row := s.tables.PortBinding.Get(id)
		router := ""
		if row != nil {
			_, router = s.datapath(row.Datapath)
		}
		name, place := "", ""
		switch {
		case router == "":
		case row.Type == "chassisredirect":
			place = cmp.Or(row.Options.Get("distributed-port"), strings.TrimPrefix(row.LogicalPort, placePrefix))
		default:
			name = row.LogicalPort
		}
		if was := s.routerSide.set(id, name); was != "" || name != "" {
			stale.add(id)
		}
		s.peers.touch(s.places.set(id, place))
		s.peers.touch(place)
	}
	s.peers.take(stale, s.routerSide)
	if s.routerPorts.update(stale, s.routerPort) {
		s.snapshot.RouterPorts = s.routerPorts.values()
		s.natsStale, s.lbsStale = true, true
	}
}

// placeOf returns the row that says where a router port's gateway is, nil if there is none.
func (s *Southbound) placeOf(routerPort string) *sb.PortBinding {
	id, found := s.places.first(routerPort, func(ovsdb.UUID) bool { return true })
	if !found {
		return nil
	}
	return s.tables.PortBinding.Get(id)
}

// routerPort converts a row of Port_Binding on a logical router.
func (s *Southbound) routerPort(id ovsdb.UUID) *ovn.LogicalRouterPort {
	if s.routerSide.names[id] == "" {
		return nil
	}
	row := s.tables.PortBinding.Get(id)
	p := parser{table: "Port_Binding", row: id.String()}
	_, router := s.datapath(row.Datapath)
	port := &ovn.LogicalRouterPort{UUID: p.row, Name: row.LogicalPort, Router: router, Switch: s.peers.switchOf(row.LogicalPort)}
	port.Gateway = row.Options.Get("chassis-redirect-port") != ""
	if place := s.placeOf(port.Name); place != nil {
		port.Gateway = true
		port.HAGroup = s.groupName(place.HAChassisGroup)
		port.HostingChassis = s.chassis(place.Chassis)
	}
	if says, ok := row.ExternalIDs.Lookup("neutron:is_ext_gw"); ok {
		port.Gateway = isTrue(says)
	}
	for _, element := range row.MAC {
		for i, text := range strings.Fields(element) {
			if i == 0 {
				port.MAC = p.mac("mac", text)
			} else if prefix := p.prefix("mac", text); prefix.IsValid() {
				port.Networks = append(port.Networks, prefix)
			}
		}
	}
	port.Faults = p.faults
	return port
}

// translations are those that one gateway's row tells of.
type translations struct {
	port string // the row's name
	nats []*ovn.NAT
}

// updateTranslations converts all rows that tell of translations when one of them, a router's port or a port's floating
// IP may be different.
func (s *Southbound) updateTranslations() {
	if !s.natsStale {
		return
	}
	s.natsStale = false
	rows := s.nats.andKnown(s.translating)
	k := s.known()
	if s.nats.update(rows, func(id ovsdb.UUID) *translations { return s.translate(id, k) }) {
		s.snapshot.NATs = flatten(s.nats.values(), k)
	}
}

// known is what translations are understood by.
type known struct {
	ports map[string]*ovn.LogicalRouterPort
	own   map[string][]netip.Addr // by router: its gateways' own addresses
	fips  map[netip.Addr]string   // switch ports by their floating IP
}

func (s *Southbound) known() known {
	k := known{ports: map[string]*ovn.LogicalRouterPort{}, own: map[string][]netip.Addr{}, fips: map[netip.Addr]string{}}
	for _, rp := range s.routerPorts.values() {
		k.ports[rp.Name] = rp
		if rp.Gateway {
			for _, network := range rp.Networks {
				k.own[rp.Router] = append(k.own[rp.Router], network.Addr())
			}
		}
	}
	for id, fip := range s.floatingIPs {
		name := s.tables.PortBinding.Get(id).LogicalPort
		if other, ok := k.fips[fip]; !ok || name < other {
			k.fips[fip] = name
		}
	}
	return k
}

// translate reads the nat_addresses of the switch's port at the other end of a gateway.
func (s *Southbound) translate(id ovsdb.UUID, k known) *translations {
	row := s.tables.PortBinding.Get(id)
	if row == nil || !s.translating.has(id) {
		return nil
	}
	before := map[string]*ovn.NAT{}
	if old := s.nats.byRow[id]; old != nil {
		for _, nat := range old.nats {
			before[nat.UUID] = nat
		}
	}
	t := &translations{port: row.LogicalPort}
	for _, entry := range row.NATAddresses {
		for _, nat := range s.entry(id, entry, s.peers.ports[id], k) {
			if old := before[nat.UUID]; old != nil && reflect.DeepEqual(old, nat) {
				nat = old
			}
			t.nats = append(t.nats, nat)
		}
	}
	return t
}

// entry reads one "MAC IP… is_chassis_resident("port")". Who is resident answers for the addresses: a gateway's place
// means that its router does, another port that they are where that port is. A gateway's own address stands here
// when others are hidden behind it, which makes no floating IP of it.
func (s *Southbound) entry(id ovsdb.UUID, text string, peer *ovn.LogicalSwitchPort, k known) (list []*ovn.NAT) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	resident := ""
	if quoted, ok := strings.CutPrefix(words[len(words)-1], "is_chassis_resident("); ok {
		resident, words = strings.Trim(quoted, `")`), words[:len(words)-1]
	}
	gateway, mac := peer.RouterPort, ""
	if of, central := strings.CutPrefix(resident, placePrefix); central && k.ports[of] != nil {
		gateway, resident = of, ""
	}
	for i, word := range words {
		p := parser{table: "Port_Binding", row: id.String()}
		if i == 0 {
			mac = word
			continue
		}
		nat := &ovn.NAT{UUID: p.row + "/" + word, Type: ovn.DNATAndSNAT, ExternalIP: p.address("nat_addresses", word),
			LogicalPort: resident, GatewayPort: gateway, Network: peer.Switch}
		if rp := k.ports[gateway]; rp != nil {
			nat.Router = rp.Router
		}
		switch {
		case slices.Contains(k.own[nat.Router], nat.ExternalIP):
			nat.Type = ovn.SNAT
		case resident == "":
			nat.LogicalPort = k.fips[nat.ExternalIP]
		default:
			nat.ExternalMAC = p.mac("external_mac", mac)
		}
		nat.Faults = p.faults
		list = append(list, nat)
	}
	return list
}

// flatten puts all translations in one list. A router with two gateways has each of its translations on both: it is
// the one's with a subnet that has the address, else the first's.
func flatten(rows []*translations, k known) []*ovn.NAT {
	type what struct {
		router string
		ip     netip.Addr
	}
	best := map[what]*ovn.NAT{}
	var list []*ovn.NAT
	for _, row := range rows {
		for _, nat := range row.nats {
			w := what{nat.Router, nat.ExternalIP}
			if !nat.ExternalIP.IsValid() { // a fault, to be shown
				list = append(list, nat)
			} else if best[w] == nil || compareGateways(nat, best[w], k) < 0 {
				best[w] = nat
			}
		}
	}
	for _, nat := range best {
		list = append(list, nat)
	}
	slices.SortFunc(list, func(a, b *ovn.NAT) int { return cmp.Compare(a.UUID, b.UUID) })
	return list
}

func compareGateways(a, b *ovn.NAT, k known) int {
	outside := func(nat *ovn.NAT) int {
		if g := k.ports[nat.GatewayPort]; g != nil && slices.ContainsFunc(g.Networks, func(p netip.Prefix) bool {
			return p.Contains(nat.ExternalIP)
		}) {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(outside(a), outside(b)), cmp.Compare(a.GatewayPort, b.GatewayPort),
		cmp.Compare(a.UUID, b.UUID))
}
