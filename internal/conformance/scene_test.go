package conformance

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/fake/fabric"
	"ovnbgp/internal/model"
	"ovnbgp/internal/source/bgpd"
	"ovnbgp/internal/status"
)

const (
	vrfName = "bgp-vrf"
	nic     = "bgp-nic"
	nodeAS  = 64999
)

// scene is a node with the speaker under test, and its leaves.
type scene struct {
	t      testing.TB
	kind   string // of speaker
	make   fabric.Make
	fabric *fabric.Fabric
	node   *fabric.Node
	frr    *fabric.Daemons // nil when the speaker does without
	leaves []*leaf
	want   model.Node

	process *process
}

// leaf is a peer, its link and what the session looks like from both ends.
type leaf struct {
	fabric.Peer
	number  int // from 1
	link    *fabric.Link
	options fabric.PeerOptions
	started bool
}

var (
	loopback4 = netip.MustParseAddr("10.255.0.1")
	loopback6 = netip.MustParseAddr("2001:db8:ffff::1")
	default4  = netip.MustParsePrefix("0.0.0.0/0")
	default6  = netip.MustParsePrefix("::/0")
)

func newScene(t testing.TB, kind string, peers fabric.Make) *scene {
	t.Helper()
	s := &scene{t: t, kind: kind, make: peers, fabric: fabric.New(t)}
	s.node = s.fabric.AddNode("node")
	s.node.AddVRF(vrfName, nic)
	s.node.Batch("addr add "+loopback4.String()+"/32 dev lo", "addr add "+loopback6.String()+"/128 dev lo")
	if speakers()[kind].frr {
		s.frr = fabric.NewFRR(s.node, "-n", "-r", "-K", "120")
		s.frr.Start(everything...)
	}
	s.want = model.Node{
		VRF: model.VRF{Name: vrfName, Table: 10, Device: nic},
		Leak: model.Leak{AS: nodeAS, VRF: vrfName, Redistribute: []string{"connected"}, RouterID: loopback4,
			Why: "addresses reach the peers"},
		BGP: model.BGP{AS: nodeAS, RouterID: loopback4, Loopbacks: []netip.Addr{loopback4, loopback6},
			GracefulRestart: model.GracefulRestart{Enabled: true, RestartTime: 120 * time.Second, PreserveForwarding: true},
			Multipath:       model.Multipath{Paths: 8, Relax: true}},
	}
	s.t.Cleanup(func() {
		if t.Failed() {
			s.explain()
		}
	})
	return s
}

// explain logs what the actors of a failed case say of themselves.
func (s *scene) explain() {
	if s.frr != nil {
		s.t.Logf("FRR of the node:\n%s", s.frr.Log())
		if text, err := os.ReadFile(filepath.Join(s.node.Dir, "frr.conf")); err == nil {
			s.t.Logf("frr.conf:\n%s", text)
		}
	}
	if s.process != nil {
		s.t.Logf("the speaker's log:\n%s", s.process.log.String())
	}
	for _, l := range s.leaves {
		if l.started {
			s.t.Logf("leaf %d: %s", l.number, l.Log())
		}
	}
}

// ends returns the addresses of a link's ends, of one family: the leaf's, the node's.
func ends(number int, family model.Family) (leafEnd, nodeEnd netip.Addr) {
	if family == 4 {
		return netip.AddrFrom4([4]byte{10, 0, byte(number), 1}), netip.AddrFrom4([4]byte{10, 0, byte(number), 2})
	}
	leafEnd = netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%d::1", number))
	return leafEnd, leafEnd.Next()
}

// both is what a case may change of a session: the node's end and the leaf's.
type both struct {
	node *model.Peer
	leaf *fabric.PeerOptions
}

// leaf adds a leaf. Unless the changes say otherwise it has an AS of its own, and speaks IPv4 between addresses of the
// link. It is told what is ours and takes the default route alone, which each leaf originates.
func (s *scene) leaf(changes ...func(both)) *leaf {
	s.t.Helper()
	n := len(s.leaves) + 1
	l := &leaf{number: n}
	machine := s.fabric.AddNode(fmt.Sprintf("leaf%d", n))
	l.link = s.fabric.Join(s.node, fmt.Sprintf("eth%d", n), machine, "eth1")
	leafEnd, nodeEnd := ends(n, 4)
	leaf6, node6 := ends(n, 6)
	s.node.Batch(fmt.Sprintf("addr add %s/30 dev eth%d", nodeEnd, n), fmt.Sprintf("addr add %s/64 dev eth%d", node6, n))
	machine.Batch(fmt.Sprintf("addr add %s/30 dev eth1", leafEnd), fmt.Sprintf("addr add %s/64 dev eth1", leaf6))
	peer := model.Peer{Name: fmt.Sprintf("leaf%d", n), Address: leafEnd, Hold: 3 * time.Second, Keepalive: time.Second,
		ConnectRetry: time.Second, Families: []model.PeerFamily{family(model.IPv4Unicast)}}
	l.options = fabric.PeerOptions{AS: 65000 + uint32(n), NodeAS: nodeAS, RouterID: netip.AddrFrom4([4]byte{10, 255, 1, byte(n)}),
		Neighbor: nodeEnd, Local: leafEnd, Interface: "eth1", Families: []model.BGPFamily{model.IPv4Unicast},
		Originates: []netip.Prefix{default4}}
	peer.AS = model.PeerAS{Kind: model.ASNumber, Number: l.options.AS}
	for _, change := range changes {
		change(both{&peer, &l.options})
	}
	s.leaves = append(s.leaves, l)
	s.want.BGP.Peers = append(s.want.BGP.Peers, peer)
	l.Peer = fabric.NewPeer(machine, s.make, l.options)
	return l
}

// family is an address family as a node has it with a leaf: our own goes out, the default comes in.
func family(f model.BGPFamily) model.PeerFamily {
	return model.PeerFamily{Family: f, In: model.Filter{Default: true}, Out: model.Filter{Own: true}}
}

// play starts the leaves, hands the node to its speaker, and waits until all sessions are up.
func (s *scene) play() {
	s.t.Helper()
	s.start()
	for _, l := range s.leaves {
		s.up(l)
	}
}

// start starts the leaves and the speaker, and hands it the node.
func (s *scene) start() {
	s.t.Helper()
	for _, l := range s.leaves {
		l.Start()
		l.started = true
	}
	s.startSpeaker()
	s.apply()
}

// announce adds prefixes to what the node announces, and withdraw takes them away. Nothing happens before apply.
func (s *scene) announce(attributes model.Attributes, prefixes ...string) {
	s.t.Helper()
	s.carry("replace", prefixes)
	for _, text := range prefixes {
		p := netip.MustParsePrefix(text)
		s.want.Announcements = append(s.want.Announcements, model.Announcement{VRF: vrfName, Prefix: p, Device: "br-ex",
			Kinds: []model.Kind{model.KindFloatingIP}, Attributes: attributes, Whys: []string{"the case wants it"}})
	}
	slices.SortFunc(s.want.Announcements, func(a, b model.Announcement) int { return strings.Compare(a.Key(), b.Key()) })
}

func (s *scene) withdraw(prefixes ...string) {
	s.t.Helper()
	for _, text := range prefixes {
		s.want = s.want.Without(model.Key(vrfName, netip.MustParsePrefix(text)))
	}
	s.carry("del", prefixes)
}

// carry does what the kernel's applier does: an announced address is on the VRF's device.
func (s *scene) carry(verb string, prefixes []string) {
	s.t.Helper()
	lines := make([]string, len(prefixes))
	for i, p := range prefixes {
		lines[i] = fmt.Sprintf("addr %s %s dev %s", verb, p, nic)
	}
	s.node.BatchVRF(vrfName, lines...)
}

// apply hands the node to the speaker, which must bring it about.
func (s *scene) apply() Answer {
	s.t.Helper()
	a := s.ask()
	if a.Err != "" {
		s.t.Fatalf("the speaker says: %s", a.Err)
	}
	return a
}

func (s *scene) ask() Answer {
	s.t.Helper()
	a, err := s.process.ask(Request{Want: s.want})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// up waits for the session with a leaf.
func (s *scene) up(l *leaf) fabric.Session {
	s.t.Helper()
	var session fabric.Session
	s.await(func() (err error) {
		if session, err = l.Session(s.t.Context()); err == nil && !session.Up {
			err = fmt.Errorf("leaf %d: no session", l.number)
		}
		return err
	})
	return session
}

func (s *scene) await(ask func() error) {
	s.t.Helper()
	if err := fabric.Await(s.t.Context(), ask); err != nil {
		s.t.Fatal(err)
	}
}

// told waits until a leaf has been told exactly these paths of a family, the node's loopbacks aside.
func (s *scene) told(l *leaf, family model.BGPFamily, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	s.await(func() error {
		all, err := l.Paths(s.t.Context(), family)
		if err != nil {
			return err
		}
		got := slices.DeleteFunc(all, func(p string) bool {
			return strings.HasPrefix(p, loopback4.String()+"/") || strings.HasPrefix(p, loopback6.String()+"/")
		})
		if len(got) == 0 {
			got = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			return fmt.Errorf("leaf %d, %s (-want +told):\n%s", l.number, family, d)
		}
		return nil
	})
}

// learned waits until the node's kernel has a default route of one family by exactly these leaves, with the loopback as
// its source. Which address of a leaf is the next hop is left to the speaker.
func (s *scene) learned(family model.Family, from ...*leaf) {
	s.t.Helper()
	var want []string
	for _, l := range from {
		want = append(want, l.link.A.Interface)
	}
	source := map[model.Family]netip.Addr{4: loopback4, 6: loopback6}[family].String()
	s.await(func() error {
		got, used, err := s.defaults(family)
		if err != nil {
			return err
		}
		if d := cmp.Diff(want, got); d != "" {
			return fmt.Errorf("devices of the node's IPv%d default (-want +got):\n%s", family, d)
		}
		if len(want) > 0 && used != source {
			return fmt.Errorf("the node's default has the source %q, want %q", used, source)
		}
		return nil
	})
	if s.frr != nil {
		s.await(func() error { return s.observed(family, want) })
	}
}

// observed tells whether the source that reads FRR says the same of the node's default as the kernel does.
func (s *scene) observed(family model.Family, want []string) error {
	source := bgpd.New(s.node.Dir)
	defer source.Close()
	learned := status.LearnedOf(source.Snapshot(s.t.Context()))
	state := status.DefaultInKernel
	if len(want) == 0 {
		state = status.DefaultNone
	}
	for _, d := range learned.Defaults {
		if model.FamilyOf(d.Prefix.Addr()) != family {
			continue
		}
		var got []string
		for _, r := range d.Main {
			for _, h := range r.NextHops {
				got = append(got, h.Device)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || d.State != state {
			return fmt.Errorf("observed %q, which is %s, want %s (-want +got):\n%s", d, d.State, state, diff)
		}
		return nil
	}
	return fmt.Errorf("nothing observed of IPv%d: %+v", family, learned)
}

// defaults reads the devices, sorted, and the source of the node's default route.
func (s *scene) defaults(family model.Family) (devices []string, source string, err error) {
	out, err := s.node.Try("ip", fmt.Sprintf("-%d", family), "-j", "route", "show", "default")
	if err != nil {
		return nil, "", err
	}
	type hop struct {
		Device string `json:"dev"`
	}
	var routes []struct {
		hop
		Source string `json:"prefsrc"`
		Hops   []hop  `json:"nexthops"`
	}
	if err := json.Unmarshal([]byte(out), &routes); err != nil {
		return nil, "", fmt.Errorf("%w: %s", err, out)
	}
	for _, r := range routes {
		source = r.Source
		for _, h := range append(r.Hops, r.hop) {
			if h.Device != "" {
				devices = append(devices, h.Device)
			}
		}
	}
	slices.Sort(devices)
	return devices, source, nil
}

// installed waits until a leaf's kernel has a route to a prefix, and so all that the leaf was told before it.
func (s *scene) installed(l *leaf, prefix string) {
	s.t.Helper()
	s.await(func() error {
		out, err := l.Node().Try("ip", "route", "show", prefix)
		if err == nil && !strings.Contains(out, "dev eth1") {
			err = fmt.Errorf("leaf %d: %s is not in the kernel: %q", l.number, prefix, out)
		}
		return err
	})
}

// process is the speaker's.
type process struct {
	cmd *exec.Cmd
	in  *gob.Encoder
	out *gob.Decoder
	log fabric.Buffer
}

// startSpeaker starts the speaker's process in the node. It knows nothing yet.
func (s *scene) startSpeaker() {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{cmd: s.node.Command(self)}
	p.cmd.Env = append(os.Environ(), speakEnv+"="+s.kind, dirEnv+"="+s.node.Dir)
	p.cmd.Stderr = &p.log
	stdin, errIn := p.cmd.StdinPipe()
	stdout, errOut := p.cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		s.t.Fatal(err)
	}
	p.in, p.out = gob.NewEncoder(stdin), gob.NewDecoder(stdout)
	s.node.Start(p.cmd)
	s.process = p
	s.t.Cleanup(func() { p.end(syscall.SIGKILL) })
}

// end sends the process a signal and waits until it has ended.
func (p *process) end(signal syscall.Signal) {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Wait() // it ends by the signal; nothing to learn
}

func (p *process) ask(r Request) (Answer, error) {
	if err := p.in.Encode(r); err != nil {
		return Answer{}, fmt.Errorf("the speaker's process: %w\n%s", err, p.log.String())
	}
	var a Answer
	if err := p.out.Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("the speaker's process: %w\n%s", err, p.log.String())
	}
	return a, nil
}
