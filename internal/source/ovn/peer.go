package ovn

import (
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

// naming knows which rows have, or speak of, which name.
type naming struct {
	names map[ovsdb.UUID]string
	rows  map[string]set
}

func newNaming() *naming { return &naming{names: map[ovsdb.UUID]string{}, rows: map[string]set{}} }

// set takes note of a row's name, "" for none any more, and returns the one before.
func (n *naming) set(row ovsdb.UUID, name string) (before string) {
	before = n.names[row]
	if before == name {
		return before
	}
	if before != "" {
		delete(n.names, row)
		delete(n.rows[before], row)
		if len(n.rows[before]) == 0 {
			delete(n.rows, before)
		}
	}
	if name != "" {
		n.names[row] = name
		if n.rows[name] == nil {
			n.rows[name] = set{}
		}
		n.rows[name].add(row)
	}
	return before
}

// first returns the lowest of the rows of a name that will do.
func (n *naming) first(name string, will func(ovsdb.UUID) bool) (best ovsdb.UUID, found bool) {
	for id := range n.rows[name] {
		if (!found || id.Compare(best) < 0) && will(id) {
			best, found = id, true
		}
	}
	return best, found
}

// peers knows the switches' ports that name a router's port. A router's port says too little of itself: its switch is
// that of the port that names it.
type peers struct {
	ports map[ovsdb.UUID]*ovn.LogicalSwitchPort
	name  *naming
	// touched are the names of routers' ports of which something else than their row may be different.
	touched map[string]bool
}

func newPeers() *peers {
	return &peers{ports: map[ovsdb.UUID]*ovn.LogicalSwitchPort{}, name: newNaming(), touched: map[string]bool{}}
}

// set takes note of a switch's port, nil when it is gone.
func (p *peers) set(id ovsdb.UUID, port *ovn.LogicalSwitchPort) {
	before := p.ports[id]
	if port == nil || port.RouterPort == "" {
		if before != nil {
			delete(p.ports, id)
			p.touch(p.name.set(id, ""))
		}
		return
	}
	p.ports[id] = port
	if was := p.name.set(id, port.RouterPort); was != port.RouterPort || before.Switch != port.Switch {
		p.touch(was)
		p.touch(port.RouterPort)
	}
}

// touch takes note of a router's port that may be different.
func (p *peers) touch(name string) {
	if name != "" {
		p.touched[name] = true
	}
}

// take adds to rows those of the routers' ports that may be different for the first time since the last take.
func (p *peers) take(rows set, named *naming) {
	for name := range p.touched {
		for id := range named.rows[name] {
			rows.add(id)
		}
	}
	clear(p.touched)
}

// switchOf returns which switch is at the other end of a router's port. While Neutron moves a port two may claim it; the
// lower row wins, for no better reason than that it does so every time.
func (p *peers) switchOf(routerPort string) string {
	id, found := p.name.first(routerPort, func(id ovsdb.UUID) bool { return p.ports[id].Switch != "" })
	if !found {
		return ""
	}
	return p.ports[id].Switch
}
