package conformance

import (
	"time"

	"ovnbgp/internal/apply/frr"
	"ovnbgp/internal/fake/fabric"
)

// openFRR is FRR as we configure it: mode "managed".
func openFRR(p place) (speaker, error) {
	vtysh, err := fabric.Vtysh(p.Dir)
	if err != nil {
		return speaker{}, err
	}
	a := frr.New(frr.Options{Sockets: p.Dir, AS: nodeAS, VRF: p.VRF, Interval: time.Second, Mode: frr.Managed, ConfDir: p.Dir,
		Vtysh: vtysh})
	return speaker{Announcer: a, Run: a.Run, Close: a.Close}, nil
}
