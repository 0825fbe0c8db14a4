package bgpd

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/model"
)

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// compare compares addresses and prefixes by what they are.
var compare = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty()}

func TestSessions(t *testing.T) {
	got := sessions(decode[map[string]familySummary](t, `{
"ipv4Unicast": {"peers": {
  "eth1": {"remoteAs": 65001, "peerUptimeEstablishedEpoch": 1700000000, "pfxRcd": 1, "pfxSnt": 7, "state": "Established", "connectionsEstablished": 2},
  "192.0.2.9": {"remoteAs": 65009, "state": "Idle (Admin)"},
  "2001:db8::1": {"remoteAs": 65001, "peerUptimeEstablishedEpoch": 1700000000, "state": "NoNeg"}}},
"ipv6Unicast": {"peers": {
  "eth1": {"remoteAs": 65001, "peerUptimeEstablishedEpoch": 1700000000, "pfxRcd": 3, "state": "Established", "connectionsEstablished": 2}}},
"l2VpnEvpn": {"peers": {"10.0.0.9": {"state": "Established"}}}}`))
	since := time.Unix(1700000000, 0).UTC()
	want := []model.Session{
		{Name: "192.0.2.9", Address: netip.MustParseAddr("192.0.2.9"), AS: 65009, State: "idle (admin)",
			Families: []model.SessionFamily{{Family: model.IPv4Unicast}}},
		{Name: "2001:db8::1", Address: netip.MustParseAddr("2001:db8::1"), AS: 65001, State: "established", Since: since},
		{Name: "eth1", AS: 65001, State: "established", Since: since, Established: 2, Families: []model.SessionFamily{
			{Family: model.IPv4Unicast, Received: 1, Sent: 7}, {Family: model.IPv6Unicast, Received: 3}}},
	}
	if d := cmp.Diff(want, got, compare); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWhyDown(t *testing.T) {
	list := []model.Session{{Name: "192.0.2.9", State: "active"}, {Name: "eth1", State: "established"}, {Name: "eth2", State: "idle"},
		{Name: "eth3", State: model.SessionShut}, {Name: "eth4", State: "connect"}}
	tellWhyDown(list, decode[map[string]json.RawMessage](t, `{"vrfId": 0,
"192.0.2.9": {"lastResetDueTo": "BGP Notification send", "lastNotificationReason": "OPEN Message Error/Bad Peer AS"},
"eth1": {"lastResetDueTo": "Interface down"}, "eth2": {"lastResetDueTo": "Waiting for NHT"}, "eth3": {"lastResetDueTo": "Admin. shutdown"}}`))
	var got []string
	for _, s := range list {
		got = append(got, s.LastError)
	}
	want := []string{"BGP Notification send: OPEN Message Error/Bad Peer AS", "", "Waiting for NHT", "", ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLearned(t *testing.T) {
	const best, other = `"bestpath": {"overall": true}, "multipath": true`, `"multipath": true`
	path := func(attributes, peer, hops string) string {
		return `{"aspath": {"string": "65001"}, ` + attributes + `, "peer": {` + peer + `}, "nexthops": [` + hops + `]}`
	}
	for name, tt := range map[string]struct {
		paths       string
		want        []string
		chosen, any bool
	}{
		"nobody tells it": {"", nil, false, false},
		"the best first": {
			path(other, `"peerId": "10.0.2.1", "type": "external"`, `{"ip": "10.0.2.1", "used": true}`) + "," +
				path(`"valid": true`, `"peerId": "10.0.3.1", "type": "external"`, `{"ip": "10.0.3.1", "used": true}`) + "," +
				path(best, `"peerId": "10.255.0.9", "type": "internal"`, `{"ip": "10.0.9.1", "used": true}`),
			[]string{"10.0.9.1 from 10.255.0.9", "10.0.2.1 from 10.0.2.1"}, true, true},
		"the next hop that is used, of two": {
			path(best, `"peerId": "fe80::9", "interface": "eth1", "type": "external"`,
				`{"ip": "2001:db8::1", "scope": "global"}, {"ip": "fe80::1", "scope": "link-local", "used": true}`),
			[]string{"fe80::1%eth1 from eth1"}, true, true},
		"no link known": {
			path(best, `"peerId": "2001:db8::1", "type": "external"`, `{"ip": "fe80::1", "used": true}`),
			[]string{"fe80::1 from 2001:db8::1"}, true, true},
		"our own": {path(best, `"peerId": "0.0.0.0"`, `{"ip": "0.0.0.0", "used": true}`), nil, false, false},
		"our own is better": {
			path(best, `"peerId": "0.0.0.0"`, `{"ip": "0.0.0.0", "used": true}`) + "," +
				path(`"valid": true`, `"peerId": "10.0.3.1", "type": "external"`, `{"ip": "10.0.3.1", "used": true}`), nil, false, true},
		"none is chosen": {path(`"valid": false`, `"peerId": "10.0.3.1", "type": "external"`, `{"ip": "10.9.9.9"}`), nil, false, true},
	} {
		l, chosen, any := decode[answer](t, `{"paths": [`+tt.paths+`]}`).learned(default4)
		var got []string
		for _, p := range l.Paths {
			got = append(got, p.NextHop.String()+" from "+p.Neighbor)
		}
		if d := cmp.Diff(tt.want, got); d != "" || chosen != tt.chosen || any != tt.any {
			t.Errorf("%s: chosen %v, any %v, want %v, %v (-want +got):\n%s", name, chosen, any, tt.chosen, tt.any, d)
		}
	}
}

func TestRoute(t *testing.T) {
	e := decode[entry](t, `{"protocol": "bgp", "selected": true, "installed": true, "nexthops": [
{"fib": true, "ip": "fe80::1", "interfaceName": "eth1"}, {"fib": true, "duplicate": true, "ip": "fe80::1", "interfaceName": "eth1"},
{"ip": "fe80::2", "interfaceName": "eth2"}, {"fib": true, "interfaceName": "tun0", "directlyConnected": true}]}`)
	want := model.MainRoute{Prefix: default6, By: model.ByBGP, NextHops: []model.NextHop{
		{Gateway: netip.MustParseAddr("fe80::1"), Device: "eth1"}, {Device: "tun0"}}}
	if d := cmp.Diff(want, e.route(default6), compare); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
