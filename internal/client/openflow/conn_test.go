package openflow_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	. "ovnbgp/internal/client/openflow"
	"ovnbgp/internal/client/openflow/openflowtest"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

const ours = 999

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t testing.TB, sw *openflowtest.Switch, bridge string, o Options) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), sw.Socket(bridge), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mac(t testing.TB, s string) MAC {
	t.Helper()
	m, err := ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tweak is the flow this program is about: what comes from port goes to the bridge's own MAC.
func tweak(t testing.TB, ethType EthType, port uint32) Flow {
	return Flow{Priority: 900, Cookie: ours, Match: Match{EthType: ethType, InPort: port},
		Actions: []Action{SetEthDst(mac(t, "02:aa:bb:cc:dd:01")), Output(PortNormal)}}
}

// allFields has every field and action with a name at least once.
func allFields(t testing.TB) []Flow {
	p := netip.MustParsePrefix
	m1, m2 := mac(t, "02:00:00:00:00:01"), mac(t, "02:00:00:00:00:02")
	flow := func(prio uint16, m Match, as ...Action) Flow {
		return Flow{Priority: prio, Cookie: ours, Match: m, Actions: as}
	}
	return []Flow{
		tweak(t, IPv4, 1), tweak(t, IPv6, 1),
		flow(1, Match{}),
		flow(2, Match{InPort: PortLocal}, Output(1)),
		flow(3, Match{EthSrc: m1, EthDst: m2, EthType: ARP}, SetEthSrc(m2), Output(PortInPort)),
		flow(4, Match{VLAN: 100}, PopVLAN(), Output(PortNormal)),
		flow(5, Match{VLAN: Untagged}, PushVLAN(), SetVLAN(100), Output(PortFlood)),
		flow(6, Match{EthType: IPv4, IPDst: p("203.0.113.0/24"), InPort: 1}, Output(1)),
		flow(7, Match{EthType: IPv4, IPSrc: p("203.0.113.9/32"), IPProto: 17}, Output(PortNormal)),
		flow(8, Match{EthType: IPv6, IPSrc: p("2001:db8::/63"), IPDst: p("2001:db8::1/128")}, Output(PortNormal)),
		flow(9, Match{EthType: IPv4, IPDst: p("203.0.113.77/25"), IPSrc: p("0.0.0.0/0")}, Output(PortNormal)),
		flow(10, Match{EthType: 0x88cc}, Output(PortController)),
		{Table: 3, Priority: 11, Cookie: ours, IdleTimeout: 600, HardTimeout: 700, Actions: []Action{Output(1)}},
	}
}

func normal(flows []Flow) []Flow {
	out := make([]Flow, len(flows))
	for i, f := range flows {
		out[i] = f.Normal()
	}
	return out
}

func texts(flows []Flow) []string {
	out := make([]string, len(flows))
	for i, f := range flows {
		out[i] = f.String()
	}
	slices.Sort(out)
	return out
}

func adds(flows []Flow) []Change {
	out := make([]Change, len(flows))
	for i, f := range flows {
		out[i] = Add(f)
	}
	return out
}

// What is read back equals what was sent, in both versions, and ovs-ofctl can delete it all.
func TestReadBackEqualsSent(t *testing.T) {
	sw := openflowtest.Start(t)
	for _, version := range []string{"OpenFlow13", "OpenFlow14"} {
		t.Run(version, func(t *testing.T) {
			sw.AddBridge(t, "br"+version[8:], version)
			c := dial(t, sw, "br"+version[8:], Options{})
			if got := c.Version().String(); got != version {
				t.Fatalf("version %s, want %s", got, version)
			}
			want := allFields(t)
			if err := c.Apply(t.Context(), adds(want)...); err != nil {
				t.Fatal(err)
			}
			got, err := c.Flows(t.Context(), ours, 1<<64-1)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(texts(normal(want)), texts(got)); d != "" {
				t.Errorf("read back (-want +got):\n%s", d)
			}
			byKey := map[Key]Flow{}
			for _, f := range got {
				byKey[f.Key()] = f
			}
			for _, f := range normal(want) {
				if !f.Equal(byKey[f.Key()]) {
					t.Errorf("%s\nreads back as %s", f, byKey[f.Key()])
				}
			}
		})
	}
}

// Our text is that of ovs-ofctl for the flows of this program, and the deletes take exactly what they name.
func TestDeletesTakeOnlyWhatTheyName(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br0")
	c := dial(t, sw, "br0", Options{})
	ctx := t.Context()
	sw.Ofctl(t, "OpenFlow14", "add-flow", "br0", "cookie=5,priority=900,ipv6,in_port=1,actions=drop")
	sw.Ofctl(t, "OpenFlow14", "add-flow", "br0", "cookie=999,priority=1,tcp,tcp_dst=80,actions=goto_table:7")
	if err := c.Apply(ctx, Add(tweak(t, IPv4, 1)), Add(tweak(t, IPv4, 2))); err != nil {
		t.Fatal(err)
	}
	strange := tweak(t, IPv6, 1) // of our cookie, where the foreign flow is
	if err := c.Apply(ctx, Remove(strange), Remove(tweak(t, IPv4, 2))); err != nil {
		t.Fatal(err)
	}
	flows, err := c.Flows(ctx, ours, 1<<64-1)
	if err != nil || len(flows) != 2 {
		t.Fatalf("flows %v, %v; want two", flows, err)
	}
	// A flow with fields and instructions without a name is deleted as exactly as any other.
	for _, f := range flows {
		if f.Instructions != "" {
			if err := c.Apply(ctx, Remove(f)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if flows, err = c.Flows(ctx, ours, 1<<64-1); err != nil || len(flows) != 1 || !flows[0].Equal(tweak(t, IPv4, 1)) {
		t.Fatalf("flows %v, %v; want the first alone", flows, err)
	}
	if err := c.Apply(ctx, RemoveAll(ours)); err != nil {
		t.Fatal(err)
	}
	got := sw.Ofctl(t, "OpenFlow14", "dump-flows", "br0", "--no-stats")
	if !strings.Contains(got, "cookie=0x5") || strings.Contains(got, "cookie=0x3e7") {
		t.Errorf("after the delete by cookie:\n%s", got)
	}
}

// Flows of any kind, others' too, can be read, and ours deleted one by one.
func TestFlowsOfAnyKind(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br0")
	c := dial(t, sw, "br0", Options{})
	sw.Ofctl(t, "OpenFlow14", "add-group", "br0", "group_id=1,type=all,bucket=output:1")
	sw.Ofctl(t, "OpenFlow14", "add-meter", "br0", "meter=1,kbps,band=type=drop,rate=1000")
	rules := []string{"reg0=5/0xf,tun_id=7,actions=load:1->NXM_NX_REG1[],resubmit(,3)", "ct_state=+trk,ip,actions=ct(commit,zone=4)",
		"tcp6,tp_src=0x80/0xff80,actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
		"ip,nw_src=10.0.0.1/255.0.0.255,actions=group:1", "arp,arp_tpa=10.0.0.1,actions=controller(max_len=99)",
		"conj_id=3,ip,actions=meter:1,goto_table:2", "ip,tcp_flags=+syn,actions=drop", "ip,actions=conjunction(3,1/2)",
		"dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,vlan_tci=0x1000/0x1000,actions=write_metadata:5", "ip,metadata=9,actions=set_queue:4,dec_ttl,output:1",
		"ip,tun_metadata0=0x1234,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:5->reg2,write_actions(output:1)"}
	sw.Ofctl(t, "OpenFlow14", "add-tlv-map", "br0", "{class=0xffff,type=0,len=4}->tun_metadata0")
	for i, r := range rules {
		if strings.Contains(r, "tcp_flags") {
			r = "tcp," + strings.TrimPrefix(r, "ip,")
		}
		sw.Ofctl(t, "OpenFlow14", "add-flow", "br0", fmt.Sprintf("cookie=999,priority=%d,%s", 100+i, r))
	}
	flows, err := c.Flows(t.Context(), ours, 1<<64-1)
	if err != nil || len(flows) != len(rules) {
		t.Fatalf("%d flows, %v; want %d", len(flows), err, len(rules))
	}
	for _, f := range flows {
		if err := c.Apply(t.Context(), Remove(f)); err != nil {
			t.Errorf("delete %s: %v", f, err)
		}
	}
	if flows, err = c.Flows(t.Context(), ours, 1<<64-1); err != nil || len(flows) != 0 {
		t.Errorf("left over: %v, %v", flows, err)
	}
}

// The text of a flow is what ovs-ofctl prints in OpenFlow 1.0's words.
func TestTextIsThatOfOfctl(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br0")
	c := dial(t, sw, "br0", Options{})
	flows := []Flow{tweak(t, IPv4, 1), tweak(t, IPv6, 1)}
	if err := c.Apply(t.Context(), adds(flows)...); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(sw.Ofctl(t, "OpenFlow10", "dump-flows", "br0", "--no-stats", "--no-names", "cookie=999/-1")) {
		if strings.Contains(line, "actions=") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	if d := cmp.Diff(texts(flows), got); d != "" {
		t.Errorf("text (-ours +ovs-ofctl):\n%s", d)
	}
}

// A bundle with a bad flow changes nothing, and the refusal names the flow; 1.3 applies the rest.
func TestRefusedFlow(t *testing.T) {
	sw := openflowtest.Start(t)
	for _, tc := range []struct {
		version string
		left    int
	}{{"OpenFlow14", 0}, {"OpenFlow13", 1}} {
		t.Run(tc.version, func(t *testing.T) {
			bridge := "br" + tc.version[8:]
			sw.AddBridge(t, bridge, tc.version)
			writes := 0
			c := dial(t, sw, bridge, Options{OnWrite: func() { writes++ }})
			// nw_proto without an IP ether type: BAD_PREREQ.
			bad := Flow{Priority: 7, Cookie: ours, Match: Match{IPProto: 6}}
			err := c.Apply(t.Context(), Add(tweak(t, IPv4, 1)), Add(bad))
			var refusal *Error
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "add flow priority=7,nw_proto=6") ||
				!strings.Contains(err.Error(), "BAD_PREREQ") {
				t.Errorf("error %v: want the flow and BAD_PREREQ", err)
			}
			flows, err := c.Flows(t.Context(), ours, 1<<64-1)
			if err != nil || len(flows) != tc.left {
				t.Errorf("flows %v, %v; want %d", flows, err, tc.left)
			}
			if want := 1 + tc.left; writes != want {
				t.Errorf("%d writes counted, want %d", writes, want)
			}
			if err := c.Apply(t.Context(), Add(tweak(t, IPv4, 1))); err != nil {
				t.Errorf("the next change: %v", err)
			}
		})
	}
}

// recorder collects a monitor's updates.
type recorder struct {
	mu      sync.Mutex
	updates []string
}

func (r *recorder) take(u Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := u.Event.String()
	if u.Event <= Modified {
		s += " " + u.Flow.String()
	}
	r.updates = append(r.updates, s)
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.updates)
}

func TestMonitor(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br0", "OpenFlow10", "OpenFlow14")
	sw.Ofctl(t, "OpenFlow14", "del-flows", "br0")
	c := dial(t, sw, "br0", Options{})
	ctx := t.Context()
	first, second := tweak(t, IPv4, 1), tweak(t, IPv6, 1)
	if err := c.Apply(ctx, Add(first)); err != nil {
		t.Fatal(err)
	}
	var r recorder
	if err := c.Monitor(ctx, r.take); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"initial " + first.String()}, r.list()); d != "" {
		t.Fatalf("when Monitor returns (-want +got):\n%s", d)
	}
	if err := c.Apply(ctx, Add(second)); err != nil {
		t.Fatal(err)
	}
	sw.Ofctl(t, "OpenFlow14", "del-flows", "br0", "cookie=999/-1,ip")
	sw.Ofctl(t, "OpenFlow14", "add-flow", "br0", first.String())
	changed := first
	changed.Actions = changed.Actions[1:]
	sw.Ofctl(t, "OpenFlow14", "add-flow", "br0", changed.String())
	want := []string{"initial " + first.String(), "abbreviated", "removed " + first.String(),
		"added " + first.String(), "added " + changed.String()}
	ovsdbtest.Eventually(t, "the monitor tells all", func() bool { return len(r.list()) >= len(want) })
	if err := c.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.list()); d != "" {
		t.Errorf("updates (-want +got):\n%s", d)
	}
}

func TestVersions(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br10", "OpenFlow10", "OpenFlow15")
	sw.AddBridge(t, "br13", "OpenFlow10", "OpenFlow13")
	_, err := Dial(t.Context(), sw.Socket("br10"), Options{})
	var v *VersionError
	if !errors.As(err, &v) || !strings.HasSuffix(err.Error(), "column protocols of its Bridge row allows neither "+
		"OpenFlow14 nor OpenFlow13, only OpenFlow10 OpenFlow15") {
		t.Errorf("neither version: %v", err)
	}
	c := dial(t, sw, "br13", Options{})
	if err := c.Monitor(t.Context(), func(Update) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("monitor over 1.3: %v", err)
	}
}

func TestSwitchDies(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br0")
	c := dial(t, sw, "br0", Options{})
	if err := c.Apply(t.Context(), Add(tweak(t, IPv4, 1))); err != nil {
		t.Fatal(err)
	}

	sw.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Barrier(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen switch: %v, want the deadline", err)
	}
	if _, err := Dial(ctx, sw.Socket("br0"), Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial to a frozen switch: %v, want the deadline", err)
	}
	sw.Thaw(t)
	if err := c.Echo(t.Context()); err != nil {
		t.Errorf("thawed switch: %v", err)
	}

	sw.Kill(t)
	select {
	case <-c.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("Done stays open after the switch died")
	}
	if _, err := c.Flows(t.Context(), ours, 1<<64-1); !errors.Is(err, ErrClosed) {
		t.Errorf("flows of a dead switch: %v, want ErrClosed", err)
	}
	if _, err := Dial(t.Context(), sw.Socket("br0"), Options{}); err == nil {
		t.Error("dial to a dead switch succeeds")
	}
	sw.Run(t)
	ovsdbtest.Eventually(t, "the bridge answers again", func() bool {
		conn, err := Dial(t.Context(), sw.Socket("br0"), Options{})
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	c = dial(t, sw, "br0", Options{})
	if flows, err := c.Flows(t.Context(), ours, 1<<64-1); err != nil || len(flows) != 0 {
		t.Errorf("after the restart: %v, %v; want none", flows, err)
	}
}
