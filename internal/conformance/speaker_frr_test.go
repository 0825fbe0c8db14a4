package conformance

import (
	"time"

	"ovnbgp/internal/apply/frr"
)

// openFRR is FRR as we configure it: mode "managed".
func openFRR(p place) (speaker, error) {
	a := frr.New(frr.Options{Sockets: p.Dir, AS: nodeAS, VRF: p.VRF, Interval: time.Second, Mode: frr.Managed, ConfDir: p.Dir})
	return speaker{Announcer: a, Run: a.Run, Close: a.Close}, nil
}
