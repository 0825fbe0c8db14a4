package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// frrDir is where Debian's packages put FRR's daemons.
const frrDir = "/usr/lib/frr"

// nodeFRR is frr.conf in the shape operators deploy: BGP unnumbered to the leaf, host routes out, only the default
// route into the kernel. It knows nothing of the agent: the agent adds its VRF and the leak from it at run time.
// Unnumbered BGP finds its peer by router advertisements; at FRR's own interval of 10 s a session needs that long to
// begin. What bridges are given to answer with stays at home, as far as "redistribute connected" would tell of it.
const nodeFRR = `frr defaults traditional
hostname {{.Name}}
log file /var/log/frr/frr.log informational
log timestamp precision 3
service integrated-vtysh-config
!
interface {{.Uplink}}
 ipv6 nd ra-interval 1
!
router bgp {{.AS}}
 bgp router-id {{.RouterID}}
 bgp log-neighbor-changes
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 neighbor uplink peer-group
 neighbor uplink remote-as external
 neighbor uplink timers 10 30
 neighbor uplink timers connect 2
 neighbor uplink bfd
 neighbor uplink bfd profile lab
 neighbor uplink capability extended-nexthop
 neighbor {{.Uplink}} interface peer-group uplink
 !
 address-family ipv4 unicast
  redistribute connected
  neighbor uplink activate
  neighbor uplink allowas-in origin
  neighbor uplink prefix-list only-host-prefixes out
 exit-address-family
 !
 address-family ipv6 unicast
  redistribute connected
  neighbor uplink activate
  neighbor uplink allowas-in origin
  neighbor uplink prefix-list only-host-prefixes out
 exit-address-family
!
ip prefix-list only-default permit 0.0.0.0/0
ip prefix-list only-host-prefixes deny 169.254.0.0/16 le 32
ip prefix-list only-host-prefixes permit 0.0.0.0/0 ge 32
ipv6 prefix-list only-default permit ::/0
ipv6 prefix-list only-host-prefixes deny fd53:d91e:400:7f17::/64 le 128
ipv6 prefix-list only-host-prefixes permit ::/0 ge 128
!
route-map rm-only-default permit 10
 match ip address prefix-list only-default
 set src {{.Source4}}
!
route-map rm-only-default permit 11
 match ipv6 address prefix-list only-default
 set src {{.Source6}}
!
ip protocol bgp route-map rm-only-default
ipv6 protocol bgp route-map rm-only-default
ip nht resolve-via-default
ipv6 nht resolve-via-default
!
bfd
 profile lab
  detect-multiplier 10
  transmit-interval 1000
  receive-interval 1000
 !
!
line vty
!
`

// leafFRR takes host routes from the nodes, gives them the default route and the host routes of the others. Waiting
// for the nodes to connect (passive) would save collisions, but then an unnumbered session never begins.
const leafFRR = `frr defaults traditional
hostname {{.Name}}
log file /var/log/frr/frr.log informational
log timestamp precision 3
service integrated-vtysh-config
!
{{- range .Downlinks}}
interface {{.}}
 ipv6 nd ra-interval 1
!
{{- end}}
router bgp {{.AS}}
 bgp router-id {{.RouterID}}
 bgp log-neighbor-changes
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor downlink peer-group
 neighbor downlink remote-as external
 neighbor downlink timers 10 30
 neighbor downlink timers connect 2
 neighbor downlink bfd
 neighbor downlink bfd profile lab
 neighbor downlink capability extended-nexthop
{{- range .Downlinks}}
 neighbor {{.}} interface peer-group downlink
{{- end}}
 !
 address-family ipv4 unicast
  redistribute connected
  maximum-paths 8
  neighbor downlink activate
  neighbor downlink default-originate
  neighbor downlink prefix-list only-host-prefixes out
  neighbor downlink prefix-list from-nodes in
 exit-address-family
 !
 address-family ipv6 unicast
  redistribute connected
  maximum-paths 8
  neighbor downlink activate
  neighbor downlink default-originate
  neighbor downlink prefix-list only-host-prefixes out
  neighbor downlink prefix-list from-nodes in
 exit-address-family
!
ip prefix-list only-host-prefixes permit 0.0.0.0/0 ge 32
ip prefix-list from-nodes seq 10 permit 0.0.0.0/0 ge 32
ipv6 prefix-list only-host-prefixes permit ::/0 ge 128
ipv6 prefix-list from-nodes seq 10 permit ::/0 ge 128
!
bfd
 profile lab
  detect-multiplier 10
  transmit-interval 1000
  receive-interval 1000
 !
!
line vty
!
`

// frrConfig is what the templates print.
type frrConfig struct {
	Name      string
	AS        int
	RouterID  netip.Addr
	Source4   netip.Addr
	Source6   netip.Addr
	Uplink    string
	Downlinks []string
}

// renderFRR is a speaker's frr.conf.
func renderFRR(n NodeSpec, t Topology) (string, error) {
	c := frrConfig{
		Name: n.Name, AS: n.AS, Uplink: uplink,
		RouterID: n.Loopbacks[0].Addr(), Source4: n.Loopbacks[0].Addr(), Source6: n.Loopbacks[1].Addr(),
	}
	text := nodeFRR
	if n.Role == RoleLeaf {
		text = leafFRR
		for _, peer := range t.Chassis() {
			c.Downlinks = append(c.Downlinks, peer.Name)
		}
	}
	tmpl, err := template.New(n.Name).Parse(text)
	if err != nil {
		return "", fmt.Errorf("frr.conf of %s: %w", n.Name, err)
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, c); err != nil {
		return "", fmt.Errorf("frr.conf of %s: %w", n.Name, err)
	}
	return out.String(), nil
}

// startSpeakers starts FRR on every node that speaks BGP.
func (f *Fabric) startSpeakers(ctx context.Context) error {
	return each(f.running(f.Topology.Speakers()), func(n Node) error {
		conf, err := renderFRR(n.NodeSpec, f.Topology)
		if err != nil {
			return err
		}
		return startFRR(ctx, n, conf)
	})
}

// startFRR starts the daemons themselves: frrinit and watchfrr are shell scripts and a supervisor that the lab does not need.
func startFRR(ctx context.Context, n Node, conf string) error {
	for path, text := range map[string]string{
		"/etc/frr/frr.conf":   conf,
		"/etc/frr/vtysh.conf": "service integrated-vtysh-config\nusername root nopassword\n",
		"/etc/frr/daemons":    "bgpd=yes\nbfdd=yes\nvtysh_enable=yes\n",
	} {
		if err := n.WriteFile(path, text, 0o640); err != nil {
			return err
		}
	}
	if err := giveToFRR(n); err != nil {
		return err
	}
	return n.StartFRR(ctx)
}

// giveToFRR hands the directories that FRR's daemons write, as user frr, to that user.
func giveToFRR(n Node) error {
	who, err := user.Lookup("frr")
	if err != nil {
		return fmt.Errorf("is FRR installed? %w", err)
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return err
	}
	for _, dir := range []string{"/run/frr", "/var/log/frr", "/var/lib/frr", "/etc/frr"} {
		if err := os.MkdirAll(n.Path(dir), 0o755); err != nil {
			return err
		}
		if err := os.Chown(n.Path(dir), uid, gid); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return os.Chown(n.Path("/etc/frr/frr.conf"), uid, gid)
}

// StartFRR starts the node's FRR daemons and has them load frr.conf. mgmtd exists from FRR 9 on.
func (n Node) StartFRR(ctx context.Context) error { return n.startFRR(ctx, frrDaemons()...) }

// StartFRRDaemon starts one of them, and has all load frr.conf again, as watchfrr does.
func (n Node) StartFRRDaemon(ctx context.Context, daemon string) error {
	return n.startFRR(ctx, daemon)
}

func (n Node) startFRR(ctx context.Context, daemons ...string) error {
	for _, daemon := range daemons {
		path := frrDir + "/" + daemon
		if _, err := os.Stat(path); err != nil {
			continue
		}
		argv := []string{path, "-d", "-A", "127.0.0.1"}
		if daemon == "zebra" {
			argv = append(argv, "-s", "90000000") // a receive buffer that holds the notifications of a mass change
		}
		if err := n.Daemon(ctx, argv...); err != nil {
			return err
		}
	}
	_, err := n.Output(ctx, "vtysh", "-b")
	return err
}

// KillFRR kills the node's FRR daemons. What the agent had told them is lost.
func (n Node) KillFRR() error {
	var errs []error
	for _, daemon := range frrDaemons() {
		_, err := n.Kill(daemon)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func frrDaemons() []string { return []string{"mgmtd", "zebra", "staticd", "bgpd", "bfdd"} }

// Vtysh runs one command in the node's vtysh.
func (n Node) Vtysh(ctx context.Context, command string) ([]byte, error) {
	return n.Output(ctx, "vtysh", "-c", command)
}

// WaitBGP waits until the leaf has the host routes of every chassis, and every chassis its default routes in the kernel:
// a session that is established may not have exchanged anything yet.
func (f *Fabric) WaitBGP(ctx context.Context) error {
	return poll(ctx, 60*time.Second, 200*time.Millisecond, func() error {
		for _, n := range f.Chassis() {
			if err := withLinks(n, hasDefaultRoutes); err != nil {
				return err
			}
		}
		table, err := f.LeafTable(ctx)
		if err != nil {
			return err
		}
		for _, n := range f.Chassis() {
			for _, p := range n.Loopbacks {
				if !slices.Contains(Announcers(table, p), n.Name) {
					return fmt.Errorf("the leaf has no %s from %s", p, n.Name)
				}
			}
		}
		return nil
	})
}

func hasDefaultRoutes(h *netlink.Handle) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		if !slices.ContainsFunc(routes, func(r netlink.Route) bool {
			if r.Dst == nil {
				return true
			}
			bits, _ := r.Dst.Mask.Size()
			return bits == 0
		}) {
			return errors.New("no default route yet")
		}
	}
	return nil
}

// Peer is a session as the leaf sees it.
type Peer struct {
	Node                       string
	Established4, Established6 bool
}

// Peers lists the leaf's sessions.
func (f *Fabric) Peers(ctx context.Context) ([]Peer, error) {
	out, err := f.nodes[leafName].Vtysh(ctx, "show bgp summary json")
	if err != nil {
		return nil, err
	}
	type family struct {
		Peers map[string]struct{ State string } `json:"peers"`
	}
	var summary struct {
		V4 family `json:"ipv4Unicast"`
		V6 family `json:"ipv6Unicast"`
	}
	if err := json.Unmarshal(out, &summary); err != nil {
		return nil, fmt.Errorf("read the leaf's BGP summary: %w", err)
	}
	var peers []Peer
	for _, spec := range f.Topology.Chassis() {
		peers = append(peers, Peer{
			Node:         spec.Name,
			Established4: summary.V4.Peers[spec.Name].State == "Established",
			Established6: summary.V6.Peers[spec.Name].State == "Established",
		})
	}
	return peers, nil
}

// poll tries until fn succeeds, and returns fn's last error when it does not in time.
func poll(ctx context.Context, limit, pause time.Duration, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s: %w", limit, err)
		case <-tick.C:
		}
	}
}
