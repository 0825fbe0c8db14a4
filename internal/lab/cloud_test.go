package lab

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// startCloud is a cloud over a database without northd: tests say themselves what northd would write.
func startCloud(t *testing.T) *Cloud {
	t.Helper()
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	path := filepath.Join(t.TempDir(), "cloud.json")
	var c *Cloud
	must(t, poll(t.Context(), 10*time.Second, 20*time.Millisecond, func() (err error) { // its socket is there before it listens
		c, err = newCloud(t.Context(), server.Endpoint(), path)
		return err
	}))
	t.Cleanup(func() { c.Close() })
	c.Gateways = []string{"gw1", "gw2"}
	must(t, c.transact(t.Context(), ovsdb.Insert("NB_Global", "", ovsdb.Columns{
		"external_ids": map[string]string{distributedKey: "True"},
	})))
	return c
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func value[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// northdUp writes up as northd does.
func northdUp(t *testing.T, c *Cloud, port string, up bool) {
	t.Helper()
	p := value[*Port](t)(c.Port(port))
	must(t, c.transact(t.Context(), ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{"up": ovsdb.Some(up)})))
}

// buildFullCloud does by our methods what the recording full-cloud was made by.
func buildFullCloud(t *testing.T, c *Cloud) {
	t.Helper()
	ctx := t.Context()
	for _, n := range []NetworkOptions{
		{Name: "public", Type: Flat, External: true},
		{Name: "vlan100", Type: VLAN, VLAN: 100},
		{Name: "tenant", Type: Geneve},
	} {
		value[*Network](t)(c.CreateNetwork(ctx, n))
	}
	for _, s := range []SubnetOptions{
		{Network: "public", Name: "public-v6", CIDR: netip.MustParsePrefix("2001:db8:f::/64")},
		{Network: "public", Name: "public-v4", CIDR: netip.MustParsePrefix("203.0.113.0/24")},
		{Network: "vlan100", Name: "vlan100-v4", CIDR: netip.MustParsePrefix("192.168.100.0/24"), DHCP: true},
		{Network: "tenant", Name: "tenant-v4", CIDR: netip.MustParsePrefix("10.0.0.0/24"), DHCP: true},
		{Network: "tenant", Name: "tenant-v6", CIDR: netip.MustParsePrefix("2001:db8:aaaa::/64"), DHCP: true,
			Gateway: netip.MustParseAddr("2001:db8:aaaa::")},
	} {
		value[*Subnet](t)(c.CreateSubnet(ctx, s))
	}
	r := value[*Router](t)(c.CreateRouter(ctx, "router1"))
	must(t,
		c.SetGateway(ctx, GatewayOptions{Router: "router1", Network: "public"}),
		c.AddInterface(ctx, "router1", "tenant", "tenant-v4"),
		c.AddInterface(ctx, "router1", "tenant", "tenant-v6"),
		gatewayMoved(ctx, c.nb, r.Gateway.ID, "gw1"))
	for name, where := range map[string][2]string{
		"pvm1": {"public", "compute1"}, "pvm2": {"public", "compute2"}, "vvm1": {"vlan100", "compute1"},
		"vvm2": {"vlan100", "compute2"}, "vm1": {"tenant", "compute1"}, "vm2": {"tenant", "compute2"},
	} {
		value[*Port](t)(c.CreatePort(ctx, PortOptions{Name: name, Network: where[0]}))
		must(t, c.BindPort(ctx, name, where[1]))
		if where[0] == "tenant" {
			fip := value[*FloatingIP](t)(c.CreateFloatingIP(ctx, "public", netip.Addr{}))
			must(t, c.Associate(ctx, fip.Address.String(), name))
		}
		northdUp(t, c, name, true)
		must(t, c.portUp(ctx, c.state.Ports[name]))
	}
}

// What we write is what Neutron wrote, but for what is random or counts.
func TestRowsAreNeutrons(t *testing.T) {
	c := startCloud(t)
	buildFullCloud(t, c)
	text := value[[]byte](t)(os.ReadFile("testdata/neutron/full-cloud.json"))
	var recorded map[string]map[string]map[string]any
	must(t, json.Unmarshal(text, &recorded))
	delete(recorded, "NB_Global") // northd's and the maintenance worker's
	want := map[string][]string{}
	for table, rows := range recorded {
		for _, row := range rows {
			if table == "Port_Group" && strings.HasPrefix(row["name"].(string), "pg_") && row["ports"] == nil {
				continue // the security group of another project
			}
			want[table] = append(want[table], normal(t, row))
		}
		slices.Sort(want[table])
	}
	have := map[string][]string{}
	for table := range recorded {
		for _, row := range dumpTable(t, c.nb, table) {
			have[table] = append(have[table], normal(t, row))
		}
		slices.Sort(have[table])
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("rows differ from Neutron's (-recorded +ours):\n%s", diff)
	}
}

// dumpTable reads a table in the recordings' form: no empty columns, a value for an optional one in a list.
func dumpTable(t *testing.T, conn *ovsdb.Conn, table string) []map[string]any {
	t.Helper()
	selected := value[[]ovsdb.Selected](t)(conn.Select(t.Context(), nbDatabase, table, nil))
	var rows []map[string]any
	for _, s := range selected {
		row := map[string]any{}
		for column, raw := range s {
			var v any
			must(t, json.Unmarshal(raw, &v))
			if v = plain(v); v != nil && column != "_uuid" && column != "_version" {
				row[column] = v
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// plain takes OVSDB's notation off a value; nil is an empty one.
func plain(v any) any {
	pair, ok := v.([]any)
	if !ok {
		if v == "" {
			return nil
		}
		return v
	}
	switch pair[0] {
	case "uuid":
		return pair[1]
	case "set":
		var set []any
		for _, e := range pair[1].([]any) {
			set = append(set, plain(e))
		}
		if set == nil {
			return nil
		}
		return set
	case "map":
		m := map[string]any{}
		for _, p := range pair[1].([]any) {
			m[p.([]any)[0].(string)] = p.([]any)[1]
		}
		if len(m) == 0 {
			return nil
		}
		return m
	}
	return v
}

// normal is a row as text in which everything random has become a letter.
func normal(t *testing.T, row map[string]any) string {
	t.Helper()
	row = maps.Clone(row)
	// Optional columns and sets of one: the recordings write both as a list, a dump a bare value.
	for column, v := range row {
		switch v := v.(type) {
		case []any:
			if len(v) == 1 {
				row[column] = v[0]
			}
		}
		if slices.Contains([]string{"up", "status", "tag"}, column) { // northd's
			delete(row, column)
		}
		// Older schemas have not the columns that newer ones have, with defaults.
		if column == "priority" && row["logical_ip"] != nil || column == "ipv6_prefix" || column == "route_table" {
			delete(row, column)
		}
	}
	text := string(value[[]byte](t)(json.Marshal(row)))
	for _, r := range []struct{ pattern, letter string }{
		{`[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}`, "ID"},
		{`0000000000000000000000000000000a|a{31}1`, "PROJECT"},
		{`([0-9a-f]{2}:){5}[0-9a-f]{2}`, "MAC"},
		{`"neutron:revision_number":"[-0-9]+"`, `"neutron:revision_number":N`},
		{`2001:db8:f::[1-9a-f][0-9a-f]*`, "P6"},
		{`2001:db8:aaaa:[0-9a-f:]*[1-9a-f][0-9a-f:]*`, "T6"},
		{`203\.0\.113\.([2-9]|[1-9][0-9]+)\b`, "P4"},
		{`10\.0\.0\.([2-9]|[1-9][0-9]+)\b`, "T4"},
		{`192\.168\.100\.([2-9]|[1-9][0-9]+)\b`, "V4"},
		{`"(priority)":[0-9]+`, `"$1":N`},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.letter)
	}
	return strings.ReplaceAll(text, `"neutron:project_id":""`, `"neutron:project_id":"PROJECT"`)
}

// The rows of a load balancer, too, with a floating IP of its VIP.
func TestLoadBalancerRowsAreOctavias(t *testing.T) {
	ctx := t.Context()
	c := startCloud(t)
	buildFullCloud(t, c)
	for _, name := range []string{"vm1", "vm2"} {
		must(t, c.DeleteFloatingIP(ctx, c.state.Ports[name].FloatingIP))
	}
	l := value[*LoadBalancer](t)(c.CreateLoadBalancer(ctx, LoadBalancerOptions{
		Name: "lb1", Network: "tenant", VIP: netip.MustParseAddr("10.0.0.50"), Port: 80,
	}))
	must(t, c.AddMember(ctx, "lb1", "vm1", 8080), c.AddMember(ctx, "lb1", "vm2", 8080))
	fip := value[*FloatingIP](t)(c.CreateFloatingIP(ctx, "public", netip.Addr{}))
	must(t, c.Associate(ctx, fip.Address.String(), l.VIPPort))
	var recorded map[string]map[string]map[string]any
	must(t, json.Unmarshal(value[[]byte](t)(os.ReadFile("testdata/neutron/p4-fip-of-vip.json")), &recorded))
	for table, rows := range recorded {
		var want, have []string
		for _, row := range rows {
			want = append(want, normal(t, row))
		}
		for _, row := range dumpTable(t, c.nb, table) {
			if table != "Logical_Switch_Port" || row["name"] == c.state.Ports[l.VIPPort].ID {
				have = append(have, normal(t, row))
			}
		}
		slices.Sort(want)
		slices.Sort(have)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s differs from Octavia's (-recorded +ours):\n%s", table, diff)
		}
	}
	must(t, c.DeleteFloatingIP(ctx, fip.Address.String()))
	if row := dumpTable(t, c.nb, "Load_Balancer")[0]; len(row["vips"].(map[string]any)) != 1 {
		t.Errorf("without floating IP: %v", row)
	}
	// A member's floating IP is the gateway's, and is as if made for no port.
	other := value[*FloatingIP](t)(c.CreateFloatingIP(ctx, "public", netip.Addr{}))
	must(t, c.Associate(ctx, other.Address.String(), "vm1"))
	if nat := natRows(t, c)[0]; nat["logical_port"] != nil || nat["external_mac"] != nil || nat["gateway_port"] == nil {
		t.Errorf("floating IP of a member: %v", nat)
	}
	must(t, c.DeleteLoadBalancer(ctx, "lb1"))
	if rows := dumpTable(t, c.nb, "Load_Balancer"); len(rows) != 0 {
		t.Errorf("left: %v", rows)
	}
}

func natRows(t *testing.T, c *Cloud) []map[string]any {
	t.Helper()
	return slices.DeleteFunc(dumpTable(t, c.nb, "NAT"), func(row map[string]any) bool { return row["type"] == "snat" })
}

func TestFloatingIP(t *testing.T) {
	ctx := context.Background()
	c := startCloud(t)
	buildFullCloud(t, c)
	address := c.state.Ports["vm1"].FloatingIP
	before := len(natRows(t, c))
	must(t, c.Disassociate(ctx, address))
	if got := len(natRows(t, c)); got != before-1 {
		t.Errorf("%d NATs after disassociation of one of %d", got, before)
	}
	p := value[*Port](t)(c.CreatePort(ctx, PortOptions{Name: "down", Network: "tenant"}))
	must(t, c.Associate(ctx, address, "down"))
	find := func() map[string]any {
		for _, row := range natRows(t, c) {
			if row["external_ip"] == address {
				return row
			}
		}
		t.Fatalf("no NAT for %s", address)
		return nil
	}
	if row := find(); row["external_mac"] != nil || row["gateway_port"] == nil || row["logical_port"] != p.ID {
		t.Errorf("associated with a port that is down: %v", row)
	}
	must(t, c.SetDistributed(ctx, false))
	if row := find(); row["external_mac"] != nil || row["gateway_port"] != nil {
		t.Errorf("centralised: %v", row)
	}
	must(t, c.SetDistributed(ctx, true), c.BindPort(ctx, "down", "compute1"))
	northdUp(t, c, "down", true)
	must(t, c.portUp(ctx, p))
	if row := find(); row["external_mac"] == nil {
		t.Errorf("associated with a port that is up: %v", row)
	}
	northdUp(t, c, "down", false)
	must(t, c.portDown(ctx, p))
	if row := find(); row["external_mac"] == nil {
		t.Errorf("Neutron keeps external_mac when the port goes down: %v", row)
	}
	must(t, c.DeletePort(ctx, "down"), c.DeleteFloatingIP(ctx, address))
	if _, err := c.FloatingIP(address); err == nil {
		t.Error("floating IP is still there")
	}
}

// Everything can be taken apart again, by a process that knows only the state file, and leaves nothing behind.
func TestTakeApart(t *testing.T) {
	ctx := context.Background()
	c := startCloud(t)
	buildFullCloud(t, c)
	var again cloudState
	must(t, json.Unmarshal(value[[]byte](t)(os.ReadFile(c.path)), &again))
	again.fill()
	c.state = again
	bulk := BulkOptions{Prefix: "bulk", Network: "tenant", External: "public", Parent: "vm1", Count: 20,
		First: netip.MustParseAddr("203.0.113.100"), Fixed: netip.MustParseAddr("10.0.0.100")}
	must(t, c.CreateBulk(ctx, bulk))
	if got := len(natRows(t, c)); got != 22 {
		t.Errorf("%d floating IPs after 20 were added to 2", got)
	}
	must(t, c.DeleteBulk(ctx, bulk))
	for _, name := range slices.Sorted(maps.Keys(c.state.Ports)) {
		must(t, c.DeletePort(ctx, name))
	}
	must(t,
		c.RemoveInterface(ctx, "router1", "tenant", "tenant-v4"), c.RemoveInterface(ctx, "router1", "tenant", "tenant-v6"),
		c.ClearGateway(ctx, "router1"), c.DeleteRouter(ctx, "router1"),
		c.DeleteNetwork(ctx, "tenant"), c.DeleteNetwork(ctx, "vlan100"), c.DeleteNetwork(ctx, "public"))
	for _, table := range []string{"Logical_Switch", "Logical_Switch_Port", "Logical_Router", "Logical_Router_Port", "NAT",
		"DHCP_Options", "HA_Chassis_Group", "HA_Chassis", "Logical_Router_Static_Route"} {
		if rows := dumpTable(t, c.nb, table); len(rows) > 0 {
			t.Errorf("%s: %d rows left, the first is %v", table, len(rows), rows[0])
		}
	}
}
