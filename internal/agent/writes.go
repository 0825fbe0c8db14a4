package agent

import "sync/atomic"

// writes counts what the agent has written, at its own sockets. A monitor cannot see a write that changes nothing;
// this can.
type writes struct {
	kernel, ovs, frr atomic.Uint64
}

// bySubsystem names the counts as the status does. The two kernel appliers share one socket.
func (w *writes) bySubsystem() map[string]uint64 {
	return map[string]uint64{
		"kernel": w.kernel.Load(), "ovs": w.ovs.Load(), "frr": w.frr.Load(),
	}
}

func count(n *atomic.Uint64) func() { return func() { n.Add(1) } }
