package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// twoNodes is a cloud in which two nodes are alike; the test says who looks.
const twoNodes = `
mapping 1 physnet=physnet1 bridge=br-ex
switch neutron-ext1 name=public
switch neutron-ten1 name=tenant
localnet provnet-ext1 switch=neutron-ext1 physnet=physnet1
router neutron-r1 name=r1
`

// holders are the nodes that announce an address, with what the others' evidence for not doing so is where it is not
// that a row explains it.
func holders(t *testing.T, cloud rows, a netip.Addr, interfaces map[string]string) string {
	t.Helper()
	var list []string
	for i := range 3 {
		node := fmt.Sprintf("node%d", i+1)
		look := fmt.Sprintf("chassis S%d hostname=%s\n", i+1, node)
		for _, p := range strings.Fields(interfaces[node]) {
			look += "interface " + p + "\n"
		}
		in := cloud.apply(t, look).input(t)
		n, _ := Node(in, defaults())
		d := Why(in, defaults(), a)
		announced := slices.Contains(n.Keys(), d.Key)
		if announced != (d.Verdict == model.Announced) {
			t.Errorf("%s: Node announces %v, and Why says %+v", node, n.Keys(), d)
		}
		switch {
		case announced:
			list = append(list, node)
		case d.Evidence != model.Explained:
			list = append(list, fmt.Sprintf("(%s %s)", node, d.Evidence))
		}
	}
	return strings.Join(list, " ")
}

// A machine, its subport and its floating IP move together: announced by the old place until the row says otherwise,
// never by both, and by none only where the row says that nobody has it.
func TestLiveMigration(t *testing.T) {
	type list = []struct{ rows, want string }
	both := "requested=node1,node2"
	start := "port vm requested=node1 host_id=node1 up=true"
	for name, steps := range map[string]list{
		"up never toggles, host_id stays for good": {{start, "node1"}, {"port vm " + both, "node1"},
			{"port vm requested=node2", "node2"}, {"port vm host_id=", "node2"}},
		"the destination toggles up": {{start, "node1"}, {"port vm " + both, "node1"}, {"port vm up=false", "node1"},
			{"port vm host_id=", "node1"}, {"port vm up=true", "node1"}, {"port vm host_id=node2", "node1"},
			{"port vm requested=node2", "node2"}},
		"after the row names it alone": {{start, "node1"}, {"port vm " + both, "node1"},
			{"port vm requested=node2 up=false", ""}, {"port vm host_id=", ""}, {"port vm up=true", "node2"},
			{"port vm host_id=node2", "node2"}},
		"aborted": {{start, "node1"}, {"port vm " + both, "node1"}, {"port vm up=false", "node1"},
			{"port vm requested=node1", ""}, {"port vm up=true", "node1"}},
		"host_id never was": {{"port vm requested=node1 up=true", "node1"}, {"port vm " + both, "node1"},
			{"port vm requested=node2", "node2"}},
		"back and forth": {{start, "node1"}, {"port vm " + both, "node1"}, {"port vm requested=node2", "node2"},
			{"port vm host_id=node2", "node2"}, {"port vm requested=node2,node1", "node2"},
			{"port vm requested=node1", "node1"}},
		"back to where stale host_id says it is": {{start, "node1"}, {"port vm " + both, "node1"},
			{"port vm requested=node2", "node2"}, {"port vm requested=node2,node1", "node2"},
			{"port vm up=false", "node2"}, {"port vm up=true", "node2"}, {"port vm requested=node1", "node1"}},
		"back to where stale host_id says it is, aborted": {{start, "node1"}, {"port vm " + both, "node1"},
			{"port vm requested=node2", "node2"}, {"port vm requested=node2,node1", "node2"},
			{"port vm requested=node2", "node2"}},
		"never up": {{"port vm " + both, ""}, {"port vm up=false requested=node2", ""}, {"port vm up=true", "node2"}},
		"the Southbound database knows": {{start + " chassis=S1", "node1"}, {"port vm " + both, "node1"},
			{"port vm chassis=S2", "node2"}, {"port vm up=false", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := rows{}.apply(t, twoNodes+"port vm switch=neutron-ext1 ips=203.0.113.11\n"+
				"port sub switch=neutron-ext1 ips=203.0.113.12 parent=vm up=true\n"+
				"nat fip router=neutron-r1 external=203.0.113.50 mac=fa:16:3e:00:00:50 port=vm network=neutron-ext1\n")
			for i, s := range steps {
				cloud = cloud.apply(t, s.rows)
				cloud["port sub"]["up"] = cloud["port vm"]["up"]
				for _, a := range []string{"203.0.113.11", "203.0.113.12", "203.0.113.50"} {
					if a == "203.0.113.12" && cloud["port vm"]["up"] == "" {
						continue // Why says of it what its parent's owner is, and that it has never been up
					}
					if got := holders(t, cloud, netip.MustParseAddr(a), nil); got != s.want {
						t.Errorf("step %d, %s: %s is announced by %q, want %q", i, s.rows, a, got, s.want)
					}
				}
			}
		})
	}
}

// A virtual port's holder moves without that up says anything; its floating IP, and that of a subport, go along.
func TestHolderMoves(t *testing.T) {
	cloud := rows{}.apply(t, twoNodes+`
port a switch=neutron-ten1 ips=10.7.0.11 requested=node1 up=true
port vip switch=neutron-ext1 type=virtual ips=203.0.113.20 mac=fa:16:3e:00:00:20 requested=node3 parent_host=node1 up=true
port tenantvip switch=neutron-ten1 type=virtual ips=10.7.0.20 parent_host=node1 up=true
nat fip1 router=neutron-r1 external=203.0.113.51 mac=fa:16:3e:00:00:51 port=tenantvip network=neutron-ext1
port parent switch=neutron-ten1 ips=10.7.0.30 requested=node1 host_id=node1 up=true
port sub switch=neutron-ten1 ips=10.8.0.30 parent=parent owner=trunk:subport up=true
nat fip2 router=neutron-r1 external=203.0.113.52 mac=fa:16:3e:00:00:52 port=sub network=neutron-ext1
`)
	const vip, vipFIP, subFIP = "203.0.113.20", "203.0.113.51", "203.0.113.52"
	for _, tt := range []struct {
		rows, address, want string
		interfaces          map[string]string
	}{
		{"", vip, "node1", nil}, {"", vipFIP, "node1", nil}, {"", subFIP, "node1", nil},
		{"port vip parent_host=node2", vip, "node2", nil},
		{"port tenantvip parent_host=node2", vipFIP, "node2", nil},
		{"port tenantvip parent_host=", vipFIP, "", nil},
		{"port vip parent_host= up=false", vip, "", nil},
		{"port vip up=false", vip, "(node1 doubtful)", nil},
		{"port parent requested=node2 host_id=node2", subFIP, "node2", nil},
		{"port sub parent=", subFIP, "", nil},
		{"-port parent", subFIP, "", nil},
		{"-port parent", subFIP, "(node1 doubtful)", map[string]string{"node1": "parent"}},
		{"port parent parent=a", subFIP, "", nil},
		{"port sub up=false", subFIP, "(node1 doubtful)", map[string]string{"node1": "parent"}},
		{"port sub up=false", subFIP, "", nil},
	} {
		if got := holders(t, cloud.apply(t, tt.rows), netip.MustParseAddr(tt.address), tt.interfaces); got != tt.want {
			t.Errorf("%q: %s is announced by %q, want %q", tt.rows, tt.address, got, tt.want)
		}
	}
}

// An external port is where OVN answers for it: the first of its group that lives, as far as gateways tell.
func TestExternalPort(t *testing.T) {
	const up = "port sriov switch=neutron-ext1 type=external ips=203.0.113.5 mac=fa:16:3e:00:00:05 group=net host_id=node3 up=true\n" +
		"group net chassis=S1,S2\n"
	gateway := func(name, group, hosting string) string {
		return fmt.Sprintf("gateway %s router=neutron-r1 switch=neutron-ext1 group=%s hosting=%s\n", name, group, hosting)
	}
	groups := "group same chassis=S1,S2\ngroup other chassis=S2,S1\ngroup one chassis=S1\ngroup three chassis=S1,S3,S2\n"
	for _, tt := range []struct{ name, rows, want, reason string }{
		{"nobody tells: the first", "", "node1", "external-port-assumed"},
		{"a gateway of the same group says so", gateway("g", "net", "S1"), "node1", "external-port"},
		{"and that it failed over", gateway("g", "net", "S2"), "node2", "external-port-assumed"},
		{"a group of the same members", gateway("g", "same", "S2"), "node2", "external-port-assumed"},
		{"another order says no more than that its first lives", gateway("g", "other", "S2"), "node1", "external-port-assumed"},
		{"and both together all", gateway("g", "other", "S2") + gateway("h", "same", "S2"), "node2", "external-port"},
		{"alone in its group it may be dead for long", gateway("g", "one", "S1") + gateway("h", "same", "S2"), "node2", "external-port-assumed"},
		{"gateways move one after the other", gateway("g", "net", "S1") + gateway("h", "same", "S2"), "node1", "external-port"},
		{"two were passed over", gateway("g", "three", "S2"), "node2", "external-port-assumed"},
		{"all were", gateway("g", "same", "S2") + gateway("h", "other", "S1"), "node1", "external-port-assumed"},
		{"nobody claims the gateway", gateway("g", "net", ""), "node1", "external-port-assumed"},
		{"down: the members cannot tell it from a lost Southbound database", "port sriov up=false", "(node1 doubtful) (node2 doubtful)", "port-down"},
		{"disabled", "port sriov disabled=true", "", "port-disabled"},
		{"a disabled router's gateway tells nothing", "router neutron-r1 disabled=true\n" + gateway("g", "net", "S2"), "node1", "external-port-assumed"},
		{"no group", "port sriov group=", "", "no-host"},
		{"an empty group", "group net chassis=", "", "no-host"},
		{"on a tenant network", "port sriov switch=neutron-ten1", "", "tenant-network"},
		{"the Southbound database knows", "port sriov chassis=S3\n" + gateway("g", "net", "S1"), "node3", "external-port"},
	} {
		cloud := rows{}.apply(t, twoNodes+groups+up).apply(t, tt.rows)
		a := netip.MustParseAddr("203.0.113.5")
		if got := holders(t, cloud, a, nil); got != tt.want {
			t.Errorf("%s: announced by %q, want %q", tt.name, got, tt.want)
		}
		where := "chassis S1 hostname=node1"
		if strings.HasPrefix(tt.want, "node") {
			where = "chassis S" + tt.want[4:5] + " hostname=" + tt.want[:5]
		}
		if d := Why(cloud.apply(t, where).input(t), defaults(), a); d.Reason != tt.reason || d.Text == "" {
			t.Errorf("%s: %+v, want %s", tt.name, d, tt.reason)
		}
	}
}

// An address of a load balancer on a tenant network goes the way of a machine's, if the router there has the row.
func TestTenantVIP(t *testing.T) {
	const cloud = twoNodes + `
group g chassis=S1,S2
gateway g1 router=neutron-r1 switch=neutron-ext1 mac=fa:16:3e:0f:00:02 networks=203.0.113.2/24 group=g hosting=S1
interface-port i1 router=neutron-r1 switch=neutron-ten1 networks=10.7.0.1/24
port if switch=neutron-ten1 type=router owner=network:router_interface router_port=i1 cidrs=10.7.0.1/24 up=true
port vip1 switch=neutron-ten1 owner=ovn-lb:vip device=lb-web ips=10.7.0.70 up=false
lb web at=neutron-r1 router=neutron-r1 vip=10.7.0.70 vip_port=vip1 vips=10.7.0.70
`
	for _, tt := range []struct{ rows, want string }{
		{"", "announced tenant-address  S1"},
		{"gateway g1 hosting=S2", "elsewhere other-chassis explained S2"},
		{"gateway g1 hosting=", "unplaced gateway-unclaimed doubtful "},
		{"gateway g1 hosting=\nlb web vips=", "unplaced gateway-unclaimed doubtful "},
		{"lb web vips=", "suppressed no-member explained "},
		{"lb web vips= disabled=true", "suppressed load-balancer-disabled explained "},
		{"lb web at=neutron-r2", "suppressed not-attached explained "},
		{"lb web at=", "suppressed not-attached explained "},
		{"-port vip1", "announced tenant-address  S1"},
		{"-interface-port i1", "unplaced no-router explained "},
		{"-lb web", "suppressed load-balancer explained "},
	} {
		c := defaults()
		c.ExposeTenantNetworks = true
		in := rows{}.apply(t, cloud).apply(t, tt.rows).apply(t, "chassis S1 hostname=node1").input(t)
		d := Why(in, c, netip.MustParseAddr("10.7.0.70"))
		if got := fmt.Sprintf("%s %s %s %s", d.Verdict, d.Reason, d.Evidence, d.Node); got != tt.want {
			t.Errorf("%q: %s, want %s (%s)", tt.rows, got, tt.want, d.Text)
		}
		n, _ := Node(in, c)
		if got := slices.Contains(n.Keys(), d.Key); got != (d.Verdict == model.Announced) {
			t.Errorf("%q: Node announces %v", tt.rows, n.Keys())
		}
		for _, r := range n.Rules {
			if r.Prefix == netip.MustParsePrefix("10.7.0.70/32") {
				t.Errorf("%q: a rule of its own, where its subnet's leads: %v", tt.rows, r)
			}
		}
	}
}
