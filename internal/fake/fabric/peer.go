package fabric

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/model"
)

// Peer is a neighbour of the node under test: a real speaker of another make, and what it says of the node.
type Peer interface {
	Node() *Node
	// Check has the speaker look at its configuration without starting.
	Check(context.Context) error
	// Start starts the speaker, and returns when it answers.
	Start()
	// Log returns what the speaker has logged.
	Log() string
	// Paths lists what the node has told in a family, as "203.0.113.9/32 via 10.0.1.2 as 64999", sorted.
	Paths(context.Context, model.BGPFamily) ([]string, error)
	// Session says how the session with the node is.
	Session(context.Context) (Session, error)
	// Originate makes these the prefixes that the node is told. The session stays.
	Originate(context.Context, ...netip.Prefix) error
	// Kill ends the speaker as a crash does. Its routes stay in its kernel.
	Kill()
	// Restart starts it again after Kill, as its service does.
	Restart()
}

// Session is a BGP session as a peer sees it.
type Session struct {
	Up bool
	// Epoch differs between two sessions with the same node: it says when this one came up.
	Epoch string
	BFD   string // "Up", "Down", ""
}

// Make is the implementation that a peer is of.
type Make string

// Makes of peers.
const (
	FRR  Make = "frr"
	BIRD Make = "bird"
)

// Makes lists all makes of peers.
func Makes() []Make { return []Make{FRR, BIRD} }

// PeerOptions are what a peer is to be. They say what the session is, seen from the peer.
type PeerOptions struct {
	AS       uint32
	RouterID netip.Addr
	// NodeAS and Neighbor are the node's. With Unnumbered, Neighbor is its link-local address.
	NodeAS     uint32
	Neighbor   netip.Addr
	Unnumbered bool
	Interface  string // towards the node
	Local      netip.Addr
	Families   []model.BGPFamily
	Originates []netip.Prefix

	Multihop        int
	TTLSecurity     bool
	Password        string
	Hold            time.Duration // default 3 s; keepalives are sent three times in it
	ExtendedNextHop bool
	BFD             *model.BFDProfile
	// GracefulRestart has the peer announce that its own routes may be kept while it restarts. It always keeps the node's.
	GracefulRestart bool
}

// hold returns the hold time and the interval of keepalives in seconds.
func (o PeerOptions) hold() (hold, keepalive int) {
	hold = max(3, int(o.Hold/time.Second))
	return hold, hold / 3
}

func (o PeerOptions) internal() bool { return o.AS == o.NodeAS }

// originated lists the prefixes to originate of one family.
func (o PeerOptions) originated(is4 bool) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(o.Originates), func(p netip.Prefix) bool { return p.Addr().Is4() != is4 })
}

// NewPeer returns a peer of a make for a node. It ends with the test.
func NewPeer(n *Node, kind Make, o PeerOptions) Peer {
	if kind == BIRD {
		return newBIRD(n, o)
	}
	return &frrPeer{node: n, options: o}
}

// path is one path as either make knows it.
type path struct {
	prefix      netip.Prefix
	nextHop     netip.Addr
	as          []uint32
	communities []model.Community
	large       []model.LargeCommunity
	preference  *uint32
	tail        string // what only some families have
}

// String leaves out what is not there; the preference is shown on internal sessions, the only ones that carry it.
func (p path) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s via %s", p.prefix, p.nextHop)
	list(&b, "as", p.as)
	list(&b, "community", p.communities)
	list(&b, "large", p.large)
	if p.preference != nil {
		fmt.Fprintf(&b, " preference %d", *p.preference)
	}
	if p.tail != "" {
		b.WriteString(" " + p.tail)
	}
	return b.String()
}

func list[T any](b *strings.Builder, name string, values []T) {
	if len(values) == 0 {
		return
	}
	b.WriteString(" " + name)
	for _, v := range values {
		fmt.Fprintf(b, " %v", v)
	}
}

func texts(paths []path) []string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = p.String()
	}
	slices.Sort(list)
	return list
}

// stop ends a process that was started here at once.
func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it ends by the signal; nothing to learn
}
