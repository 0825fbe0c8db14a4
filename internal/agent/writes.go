package agent

import "sync/atomic"

// writes counts what the agent has written, at its own sockets. A monitor cannot see a write that changes nothing;
// this can.
type writes struct {
	device                string // that holds the announced addresses: a subsystem of its own
	kernel, nic, ovs, frr atomic.Uint64
}

// bySubsystem names the counts as the status does.
func (w *writes) bySubsystem() map[string]uint64 {
	return map[string]uint64{
		"kernel": w.kernel.Load(), w.device: w.nic.Load(), "ovs": w.ovs.Load(), "frr": w.frr.Load(),
	}
}

func count(n *atomic.Uint64) func() { return func() { n.Add(1) } }
