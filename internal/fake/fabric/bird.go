package fabric

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ovnbgp/internal/model"
)

// birdPeer is a peer made of BIRD 2. Its one BGP protocol is called "node".
type birdPeer struct {
	node    *Node
	options PeerOptions
	cmd     *exec.Cmd
	log     Buffer
	epoch   int       // of the session
	since   time.Time // when it changed last, as BIRD says
}

func newBIRD(n *Node, o PeerOptions) *birdPeer {
	p := &birdPeer{node: n, options: o}
	n.t.Cleanup(p.Kill)
	return p
}

func (p *birdPeer) Check(ctx context.Context) error {
	p.node.t.Helper()
	p.write()
	out, err := exec.CommandContext(ctx, "bird", "-p", "-c", p.file("bird.conf")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("bird -p: %w: %s", err, out)
	}
	return nil
}

func (p *birdPeer) Start() {
	p.node.t.Helper()
	p.write()
	p.start()
}

func (p *birdPeer) Log() string { return p.log.String() }

func (p *birdPeer) Node() *Node { return p.node }

func (p *birdPeer) file(name string) string { return filepath.Join(p.node.Dir, name) }

func (p *birdPeer) write() {
	p.node.t.Helper()
	if err := os.WriteFile(p.file("bird.conf"), []byte(p.config()), 0o600); err != nil {
		p.node.t.Fatal(err)
	}
}

func (p *birdPeer) start(more ...string) {
	p.node.t.Helper()
	binary, err := exec.LookPath("bird")
	if err != nil {
		p.node.t.Fatalf("BIRD is not installed (make deps): %v", err)
	}
	_ = os.Remove(p.file("bird.ctl"))
	cmd := p.node.Command(binary, append([]string{"-f", "-c", p.file("bird.conf"), "-s", p.file("bird.ctl")}, more...)...)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	p.node.Start(cmd)
	p.cmd = cmd
	err = Await(p.node.t.Context(), func() error {
		_, err := p.ask(p.node.t.Context(), "show status")
		return err
	})
	if err != nil {
		p.node.t.Fatalf("%s: BIRD does not answer: %v\n%s", p.node.Name, err, p.log.String())
	}
}

// Kill leaves the kernel's routes: BIRD takes them away only when it is asked to end.
func (p *birdPeer) Kill() {
	if p.cmd != nil {
		stop(p.cmd)
		p.cmd = nil
	}
}

// Restart lets BIRD recover: it holds its routes back until its neighbours have told theirs.
func (p *birdPeer) Restart() {
	p.node.t.Helper()
	p.start("-R")
}

// birdConfig is what all peers have. Routes of BGP go to the kernel; what is originated goes to BGP only. The kernel's own
// routes are preferred to those of BGP: a neighbour that is some hops away may announce its own address.
const birdConfig = `log stderr all;
router id %s;
timeformat protocol iso long us;
protocol device { }
protocol kernel { ipv4 { preference 150; export where source = RTS_BGP; }; merge paths on; graceful restart on; persist; learn; }
protocol kernel { ipv6 { preference 150; export where source = RTS_BGP; }; merge paths on; graceful restart on; persist; learn; }
protocol direct { ipv4; ipv6; }
`

func (p *birdPeer) config() string {
	o := p.options
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(birdConfig, o.RouterID)
	if o.BFD != nil {
		line("protocol bfd { interface \"*\" { min rx interval %d ms; min tx interval %d ms; multiplier %d; }; }",
			o.BFD.Receive.Milliseconds(), o.BFD.Transmit.Milliseconds(), o.BFD.Multiplier)
	}
	if o.Unnumbered { // the node learns the address of its neighbour from router advertisements
		line("protocol radv { interface %q { min ra interval 3; max ra interval 4; }; }", o.Interface)
	}
	for _, family := range o.Families {
		if family != model.EVPN {
			line("protocol static %s { %s;", p.statics(family), channel(family))
			for _, prefix := range o.originated(family == model.IPv4Unicast) {
				line("  route %s unreachable;", prefix)
			}
			line("}")
		}
	}
	line("protocol bgp node {")
	p.session(line)
	for _, family := range o.Families {
		if family == model.EVPN {
			line("  evpn { import all; export none; };") // which BIRD refuses: it has none
			continue
		}
		line("  %s { import all; export where proto = %q; next hop self;%s };", channel(family), p.statics(family), p.extended(family))
	}
	line("}")
	return b.String()
}

func channel(family model.BGPFamily) string {
	name, _, _ := strings.Cut(string(family), " ")
	return name
}

func (p *birdPeer) statics(family model.BGPFamily) string { return "originated_" + channel(family) }

func (p *birdPeer) extended(family model.BGPFamily) string {
	if family == model.IPv4Unicast && (p.options.ExtendedNextHop || p.options.Unnumbered) {
		return " extended next hop on;"
	}
	return ""
}

// session prints what concerns the session and not a family.
func (p *birdPeer) session(line func(string, ...any)) {
	o := p.options
	local := ""
	if o.Local.IsValid() {
		local = o.Local.String() + " "
	}
	line("  local %sas %d;\n  neighbor %s as %d;", local, o.AS, o.Neighbor, o.NodeAS)
	if o.Neighbor.IsLinkLocalUnicast() {
		line("  interface %q;", o.Interface)
	}
	hold, keepalive := o.hold()
	line("  hold time %d; keepalive time %d;", hold, keepalive)
	line("  connect retry time 1; connect delay time 1; error wait time 1, 2;")
	if o.Multihop > 0 {
		line("  multihop %d;", o.Multihop)
	} else {
		line("  direct;")
	}
	if o.TTLSecurity {
		line("  ttl security on;")
	}
	if o.Password != "" {
		line("  password %q;", o.Password)
	}
	if o.BFD != nil {
		line("  bfd on;")
	}
	if o.GracefulRestart {
		line("  graceful restart on;")
	}
}

// Originate has BIRD read its configuration again; a session that is the same stays.
func (p *birdPeer) Originate(ctx context.Context, prefixes ...netip.Prefix) error {
	p.options.Originates = prefixes
	p.write()
	_, err := p.ask(ctx, "configure")
	return err
}

func (p *birdPeer) Session(ctx context.Context) (Session, error) {
	lines, err := p.ask(ctx, "show protocols node")
	if err != nil {
		return Session{}, err
	}
	var s Session
	for _, text := range lines { // "node BGP --- up 2026-01-01 10:00:00.000000 Established"
		if word := strings.Fields(text); len(word) > 6 && word[0] == "node" {
			if err := p.count(word[4] + " " + word[5]); err != nil {
				return Session{}, err
			}
			s.Up, s.Epoch = word[6] == "Established", fmt.Sprint(p.epoch)
		}
	}
	if p.options.BFD == nil {
		return s, nil
	}
	if lines, err = p.ask(ctx, "show bfd sessions"); err != nil {
		return Session{}, err
	}
	for _, text := range lines { // "10.0.1.2 eth1 Up 2026-01-01 10:00:00.000000 0.100 0.300"
		if word := strings.Fields(text); len(word) > 2 && word[0] == p.options.Neighbor.String() {
			s.BFD = word[2]
		}
	}
	return s, nil
}

// count has another epoch when the protocol has changed since the last time. What BIRD says of when that was differs by a
// fraction of a millisecond each time: its own clock has another origin.
func (p *birdPeer) count(text string) error {
	since, err := time.Parse("2006-01-02 15:04:05.000000", text)
	if err != nil {
		return err
	}
	if since.Sub(p.since).Abs() > 50*time.Millisecond {
		p.epoch++
	}
	p.since = since
	return nil
}

// Paths reads "show route all": a line for each path with its prefix (left out on a second path to the same), and below
// it, indented, its attributes.
func (p *birdPeer) Paths(ctx context.Context, family model.BGPFamily) ([]string, error) {
	if family == model.EVPN {
		return nil, errors.New("BIRD 2 has no EVPN")
	}
	lines, err := p.ask(ctx, "show route table "+strings.Replace(channel(family), "ipv", "master", 1)+" protocol node all")
	if err != nil {
		return nil, err
	}
	var all []path
	var prefix netip.Prefix
	for _, text := range lines {
		if first, _, _ := strings.Cut(text, " "); strings.Contains(first, "/") {
			if prefix, err = netip.ParsePrefix(first); err != nil {
				return nil, err
			}
		}
		if !strings.HasPrefix(text, "\t") && strings.Contains(text, "unicast") {
			all = append(all, path{prefix: prefix})
		}
		if name, value, found := strings.Cut(strings.TrimSpace(text), ":"); found && len(all) > 0 {
			if err := p.attribute(&all[len(all)-1], name, strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("BIRD says %q: %w", text, err)
			}
		}
	}
	return texts(all), nil
}

// attribute reads "BGP.community: (64999,100) (64999,200)" and the like.
func (p *birdPeer) attribute(to *path, name, value string) error {
	var err error
	switch name {
	case "BGP.next_hop":
		for _, word := range strings.Fields(value) { // a global and a link-local address, of which one may be "::"
			var hop netip.Addr
			if hop, err = netip.ParseAddr(word); err == nil && !hop.IsUnspecified() && !to.nextHop.IsValid() {
				to.nextHop = hop
			}
		}
	case "BGP.as_path":
		for _, word := range strings.Fields(value) {
			var as uint32
			_, err = fmt.Sscan(word, &as)
			to.as = append(to.as, as)
		}
	case "BGP.local_pref":
		if p.options.internal() {
			to.preference = new(uint32)
			_, err = fmt.Sscan(value, to.preference)
		}
	case "BGP.community":
		plain := strings.NewReplacer("(", "", ")", "", ",", ":").Replace(value)
		to.communities = communities(plain)
	case "BGP.large_community":
		plain := strings.NewReplacer("(", "", ")", "", ", ", ":").Replace(value)
		to.large = larges(plain)
	}
	return err
}

// ask sends a command to BIRD's control socket and returns the lines of its answer. A line has a code of four digits,
// or continues the one before; a code followed by a space that begins with 0, 8 or 9 ends the answer.
func (p *birdPeer) ask(ctx context.Context, command string) ([]string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", p.file("bird.ctl"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	in := bufio.NewScanner(conn)
	if !in.Scan() { // "0001 BIRD 2.0.12 ready."
		return nil, errors.Join(errors.New("BIRD closed the connection"), in.Err())
	}
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return nil, err
	}
	var lines []string
	for in.Scan() {
		text := in.Text()
		switch {
		case strings.HasPrefix(text, " "):
			lines = append(lines, text[1:])
		case len(text) < 5:
			return nil, fmt.Errorf("BIRD answered %q with %q", command, text)
		case text[0] == '8' || text[0] == '9':
			return nil, fmt.Errorf("BIRD refused %q: %s", command, text[5:])
		default:
			lines = append(lines, text[5:])
			if text[4] == ' ' && text[0] == '0' {
				return lines, nil
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("BIRD's answer to %q has no end", command), in.Err())
}
