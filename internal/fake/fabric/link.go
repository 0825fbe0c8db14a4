package fabric

import (
	"fmt"
	"net/netip"
)

// Link joins an interface of one node with one of another, by way of a bridge in between: so it can be cut without
// either end losing its carrier, as when a switch on the way fails. That is what BFD is for.
type Link struct {
	A, B  End
	wires *Node
	name  string
}

// End is an interface of a node.
type End struct {
	Node      *Node
	Interface string
}

// Join joins two nodes by a new link. Link-local addresses follow from the order in which links are made (LinkLocal).
func (f *Fabric) Join(a *Node, interfaceA string, b *Node, interfaceB string) *Link {
	f.t.Helper()
	f.links++
	l := &Link{A: End{a, interfaceA}, B: End{b, interfaceB}, wires: f.wires, name: fmt.Sprintf("w%d", f.links)}
	lines := []string{fmt.Sprintf("link add %s type bridge mcast_snooping 0", l.name), fmt.Sprintf("link set %s up", l.name)}
	for i, end := range []End{l.A, l.B} {
		lines = append(lines, fmt.Sprintf("link add %s type veth peer name %s address 02:00:00:00:%02x:%02x netns %d", l.port(i),
			end.Interface, f.links, i+1, end.Node.tid), fmt.Sprintf("link set %s master %s up", l.port(i), l.name))
	}
	f.wires.Batch(lines...)
	a.IP("link", "set", interfaceA, "up")
	b.IP("link", "set", interfaceB, "up")
	return l
}

func (l *Link) port(end int) string { return l.name + string(rune('a'+end)) }

// LinkLocal returns the link-local address of end 0 or 1 of the n-th link, counted from 1.
func LinkLocal(n, end int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fe80::ff:fe00:%x", n<<8|(end+1)))
}

// Cut stops all packets and tells neither end.
func (l *Link) Cut() {
	l.wires.t.Helper()
	l.wires.IP("link", "set", l.port(0), "nomaster")
}

// Mend undoes Cut.
func (l *Link) Mend() {
	l.wires.t.Helper()
	l.wires.IP("link", "set", l.port(0), "master", l.name)
}

// Unplug takes the carrier from the end at A, and Plug gives it back.
func (l *Link) Unplug() {
	l.wires.t.Helper()
	l.wires.IP("link", "set", l.port(0), "down")
}

// Plug undoes Unplug.
func (l *Link) Plug() {
	l.wires.t.Helper()
	l.wires.IP("link", "set", l.port(0), "up")
}
