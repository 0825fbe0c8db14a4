package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// needGuest skips a test that needs the lab's kernel.
func needGuest(t *testing.T) {
	t.Helper()
	if os.Getenv("OVNBGP_GUEST") != "1" {
		t.Skip("needs the lab's kernel: run by make test in the lab")
	}
}

// waitForSignal is what the test binary does as `agent`.
func waitForSignal() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

// handMade is what an agent would put for one address, so that this test shows the lab to be good without an agent.
const handMade = `set -e
if ! ip link show bgp-vrf >/dev/null 2>&1; then
  ip link add bgp-vrf type vrf table 10; ip link set bgp-vrf up
  ip link add bgp-nic type dummy; ip link set bgp-nic master bgp-vrf up
  vtysh -c 'configure terminal' -c 'router bgp 64999' \
    -c 'address-family ipv4 unicast' -c 'import vrf bgp-vrf' -c 'exit-address-family' \
    -c 'address-family ipv6 unicast' -c 'import vrf bgp-vrf' -c 'exit-address-family' -c exit \
    -c 'router bgp 64999 vrf bgp-vrf' -c 'address-family ipv4 unicast' -c 'redistribute connected' -c 'exit-address-family' \
    -c 'address-family ipv6 unicast' -c 'redistribute connected' -c 'exit-address-family'
  ip route add default dev br-ex table 200; ip -6 route add default dev br-ex table 200
  ip addr add 169.254.1.1/32 dev br-ex; ip addr add fd53:d91e:400:7f17::1:1/128 dev br-ex
  sysctl -qw net.ipv4.conf.br-ex.proxy_arp=1 net.ipv6.conf.br-ex.proxy_ndp=1
  ip -6 neigh add proxy 2001:db8:f::1 dev br-ex
  for port in $(ovs-vsctl list-ports br-ex | grep ^patch-provnet); do
    for family in ip ipv6; do
      ovs-ofctl add-flow br-ex "cookie=999,priority=900,$family,in_port=$(ovs-vsctl get interface $port ofport),actions=mod_dl_dst:$(cat /sys/class/net/br-ex/address),NORMAL"
    done
  done
fi
ip rule add to ADDRESS lookup 200 prio 32000 2>/dev/null || ip -6 rule add to ADDRESS lookup 200 prio 32000
ip route add ADDRESS dev DEVICE table 200
[ -z "MAC" ] || ip neigh replace ADDRESS lladdr MAC dev DEVICE nud permanent
ip addr add ADDRESS dev bgp-nic
`

// vlanDevice is what an agent makes for a VLAN network with tag 100.
const vlanDevice = `set -e
ip link add link br-ex name br-ex.100 type vlan id 100
ip link set br-ex.100 up
ip addr add 169.254.1.100/32 dev br-ex.100
sysctl -qw net.ipv4.conf.br-ex/100.proxy_arp=1
port=$(ovs-ofctl show br-ex | sed -n 's/^ *\([0-9]*\)(patch-provnet.*/\1/p' | sort -n | tail -1)
ovs-ofctl add-flow br-ex "cookie=999,priority=900,ip,in_port=$port,actions=mod_dl_dst:$(cat /sys/class/net/br-ex/address),NORMAL"
`

func wireByHand(t *testing.T, n Node, a netip.Addr, mac, device string) {
	t.Helper()
	script := strings.NewReplacer("ADDRESS", a.String(), "MAC", mac, "DEVICE", device).Replace(handMade)
	value[[]byte](t)(n.Input(t.Context(), script, "sh"))
}

func eventually(t *testing.T, limit time.Duration, fn func() error) {
	t.Helper()
	must(t, poll(t.Context(), limit, 200*time.Millisecond, fn))
}

// The whole fabric, in the order a user meets it.
func TestNative(t *testing.T) {
	needGuest(t)
	ctx := t.Context()
	var out bytes.Buffer
	err := NativeUp(ctx, NativeOptions{Demo: true, Agent: true}, &out)
	t.Logf("\n%s", out.String())
	must(t, err)
	t.Cleanup(func() { must(t, NativeDown(context.Background(), &out)) })
	c := value[*Cloud](t)(OpenCloud(ctx))
	defer c.Close()
	f := c.fabric

	t.Run("overlay", func(t *testing.T) {
		eventually(t, 10*time.Second, func() error {
			_, err := c.RunInVM(ctx, DemoMember1, "ping", "-n", "-c", "1", "-W", "1", c.state.Ports[DemoTenantVM].Addresses[0].String())
			return err
		})
	})
	t.Run("agents", func(t *testing.T) { testAgents(t, f) })
	t.Run("outside", func(t *testing.T) { testOutside(t, c) })
	t.Run("VLAN", func(t *testing.T) { testVLAN(t, c) })
	t.Run("gateway", func(t *testing.T) { testFailover(t, c) })
	t.Run("virtual machines", func(t *testing.T) { testVMs(t, c) })
	t.Run("bulk", func(t *testing.T) { testBulk(t, c) })
	t.Run("FRR", func(t *testing.T) { testRestartFRR(t, f) })
	t.Run("leaf", func(t *testing.T) { testLeaf(t, f) })
}

func testAgents(t *testing.T, f *Fabric) {
	for _, n := range f.Chassis() {
		if n.AgentPid() == 0 {
			t.Errorf("node %s has no agent", n.Name)
		}
	}
	n := f.Chassis()[0]
	must(t, n.StopAgent(t.Context()))
	if n.AgentPid() != 0 {
		t.Error("the agent did not stop")
	}
	must(t, n.StartAgent(), n.KillAgent(t.Context()))
	if n.AgentPid() != 0 {
		t.Error("the agent was not killed")
	}
}

func testOutside(t *testing.T, c *Cloud) {
	ctx, f := t.Context(), c.fabric
	pvm, fip := c.state.Ports[DemoProviderVM], c.state.FloatingIPs[DemoFloatingIP]
	if name, err := f.Banner(ctx, pvm.Addresses[0]); err == nil {
		t.Errorf("reached %s before anything was announced", name)
	}
	for _, a := range pvm.Addresses {
		wireByHand(t, f.nodes["compute1"], a, pvm.MAC, "br-ex")
	}
	wireByHand(t, f.nodes["compute2"], fip.Address, fip.MAC, "br-ex")
	vip := c.state.LoadBalancers[DemoBalancer].VIP
	gateway, _, _ := hosting(t, c)
	wireByHand(t, f.nodes[gateway], vip, "", "br-ex") // the gateway answers ARP for it
	routed, router2 := c.state.Ports[DemoRoutedVM], c.state.Routers[DemoRoutedRouter]
	for _, a := range routed.Addresses { // the gateway's MAC leads there
		wireByHand(t, f.nodes[router2.Chassis[0]], a, router2.Gateway.MAC, "br-ex")
	}
	for want, addrs := range map[string][]netip.Addr{
		DemoRoutedVM: routed.Addresses, DemoProviderVM: pvm.Addresses, DemoTenantVM: {fip.Address}, DemoMember1 + DemoMember2: {vip},
	} {
		for _, a := range addrs {
			eventually(t, 15*time.Second, func() error {
				name, err := f.Banner(ctx, a)
				if err == nil && (name == "" || !strings.Contains(want, name)) {
					err = fmt.Errorf("%s answers as %q, want %q", a, name, want)
				}
				return err
			})
		}
	}
	s := value[Summary](t)(f.Summarize(ctx, c))
	var out strings.Builder
	must(t, s.Print(&out))
	t.Logf("\n%s", out.String())
	for _, a := range slices.Concat(pvm.Addresses, routed.Addresses, []netip.Addr{fip.Address, vip}) {
		if nodes := Announcers(s.Table, netip.PrefixFrom(a, a.BitLen())); len(nodes) != 1 {
			t.Errorf("%s is announced by %v", a, nodes)
		}
	}
	for _, r := range s.Reach {
		if r.Ping != nil || r.Err != nil {
			t.Errorf("%s: ping %v, banner %v", r.Address, r.Ping, r.Err)
		}
	}
}

// A VLAN network on the physical network that has a flat one, too.
func testVLAN(t *testing.T, c *Cloud) {
	ctx := t.Context()
	value[*Network](t)(c.CreateNetwork(ctx, NetworkOptions{Name: "vlan100", Type: VLAN, VLAN: 100}))
	value[*Subnet](t)(c.CreateSubnet(ctx, SubnetOptions{
		Network: "vlan100", Name: "vlan100-v4", CIDR: netip.MustParsePrefix("198.51.100.0/24"), DHCP: true,
	}))
	p := value[*Port](t)(c.CreatePort(ctx, PortOptions{Name: "vvm1", Network: "vlan100"}))
	value[*VM](t)(c.BootVM(ctx, p.Name, "compute1"))
	n := c.fabric.nodes["compute1"]
	value[[]byte](t)(n.Input(ctx, vlanDevice, "sh"))
	wireByHand(t, n, p.Addresses[0], p.MAC, "br-ex.100")
	eventually(t, 15*time.Second, func() error {
		name, err := c.fabric.Banner(ctx, p.Addresses[0])
		if err == nil && name != p.Name {
			err = fmt.Errorf("%s answers as %q", p.Addresses[0], name)
		}
		return err
	})
	must(t, c.DeleteVM(ctx, p.Name), c.DeleteNetwork(ctx, "vlan100"))
}

// hosting reads who hosts the gateway, by northd and by what Neutron made of it.
func hosting(t *testing.T, c *Cloud) (status, host, requested string) {
	t.Helper()
	p := c.state.Routers[DemoRouter].Gateway
	var s, ids, options ovsdb.Map
	rows := value[[]ovsdb.Selected](t)(c.nb.Select(t.Context(), nbDatabase, "Logical_Router_Port", lrp(p.ID), "status"))
	must(t, rows[0].Get("status", &s))
	rows = value[[]ovsdb.Selected](t)(c.nb.Select(t.Context(), nbDatabase, "Logical_Switch_Port", lsp(p.ID), "external_ids", "options"))
	must(t, rows[0].Get("external_ids", &ids), rows[0].Get("options", &options))
	return s.Get("hosting-chassis"), ids.Get("neutron:host_id"), options.Get("requested-chassis")
}

func testFailover(t *testing.T, c *Cloud) {
	settled := func(want string) func() error {
		return func() error {
			status, host, requested := hosting(t, c)
			if status != want || host != want || requested != want {
				return fmt.Errorf("gateway: hosting-chassis %q, host_id %q, requested-chassis %q, want %q", status, host, requested, want)
			}
			return nil
		}
	}
	chassis := c.state.Routers[DemoRouter].Chassis
	eventually(t, 10*time.Second, settled(chassis[0]))
	start := time.Now()
	must(t, c.fabric.SetUplink(chassis[0], false))
	eventually(t, 30*time.Second, settled(chassis[1]))
	t.Logf("failover after %s", time.Since(start).Round(100*time.Millisecond))
	must(t, c.fabric.SetUplink(chassis[0], true))
	eventually(t, 30*time.Second, settled(chassis[0]))
	eventually(t, 30*time.Second, func() error { return c.fabric.WaitBGP(t.Context()) })
}

func testVMs(t *testing.T, c *Cloud) {
	ctx := t.Context()
	must(t, c.StopVM(ctx, DemoMember1))
	if p := c.state.Ports[DemoMember1]; p.HostID != "" || p.Host != "compute1" {
		t.Errorf("stopped: host_id %q, requested-chassis %q", p.HostID, p.Host)
	}
	start := time.Now()
	value[*VM](t)(c.BootVM(ctx, DemoMember1, "compute2"))
	t.Logf("boot took %s", time.Since(start).Round(10*time.Millisecond))
	must(t, c.DeleteVM(ctx, DemoMember1))
	if links := string(value[[]byte](t)(c.fabric.nodes["compute2"].Output(ctx, "ip", "-br", "link"))); strings.Count(links, "tap") != 2 {
		t.Errorf("links of compute2 after its third VM was deleted:\n%s", links)
	}
}

// Subports come up on their parent's node, and are deleted again.
func testBulk(t *testing.T, c *Cloud) {
	ctx := t.Context()
	const count = 100
	o := BulkOptions{Prefix: "sub", Network: DemoTenant, Parent: DemoTenantVM, Count: count,
		Fixed: netip.MustParseAddr("10.0.0.100"), External: DemoPublic, First: netip.MustParseAddr("203.0.113.100")}
	start := time.Now()
	must(t, c.CreateBulk(ctx, o))
	eventually(t, 60*time.Second, func() error {
		for i := range count {
			if up, err := c.up(ctx, c.state.Ports[fmt.Sprintf("sub%d", i)]); err != nil || !up {
				return fmt.Errorf("subport %d: up is %v, %w", i, up, err)
			}
		}
		return nil
	})
	t.Logf("%d subports with floating IPs up after %s", count, time.Since(start).Round(100*time.Millisecond))
	must(t, c.DeleteBulk(ctx, o))
	if rows := value[ovsdb.Set](t)(c.rowsBy(ctx, "NAT", "type", map[string]bool{"dnat_and_snat": true})); len(rows) != 1 {
		t.Errorf("%d floating IPs left", len(rows))
	}
}

func testRestartFRR(t *testing.T, f *Fabric) {
	n := f.nodes["compute2"]
	must(t, n.KillFRR())
	if killed := value[int](t)(n.Kill("bgpd")); killed != 0 {
		t.Errorf("%d bgpd left", killed)
	}
	start := time.Now()
	must(t, n.StartFRR(t.Context()), f.WaitBGP(t.Context()))
	t.Logf("BGP is back after %s", time.Since(start).Round(100*time.Millisecond))
}

func testLeaf(t *testing.T, f *Fabric) {
	ctx := t.Context()
	n := f.nodes["compute1"]
	before := value[map[string]int](t)(f.Updates(ctx))
	must(t, f.AcceptPrefixes(ctx, true))
	value[[]byte](t)(n.Output(ctx, "ip", "addr", "add", "172.31.0.77/32", "dev", "lo"))
	eventually(t, 10*time.Second, func() error {
		after, err := f.Updates(ctx)
		if err == nil && after["compute1"] <= before["compute1"] {
			err = fmt.Errorf("UPDATEs from compute1: %d, before %d", after["compute1"], before["compute1"])
		}
		return err
	})
	must(t, f.AcceptPrefixes(ctx, false))
	if peers := value[[]Peer](t)(f.Peers(ctx)); len(peers) != 4 || !peers[0].Established4 || !peers[0].Established6 {
		t.Errorf("peers %+v", peers)
	}
	status := value[Status](t)(NativeStatus(ctx))
	if len(status.Nodes) != 7 || status.OVN == "" || status.FRR == "" {
		t.Errorf("status %+v", status)
	}
	t.Logf("%+v", status)
}
