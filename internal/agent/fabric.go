package agent

import (
	"context"
	"net/netip"
	"strings"

	"ovnbgp/internal/explain"
	"ovnbgp/internal/model"
)

// fabric tells which neighbours hear of an announcement: FRR says whom it tells; of the speaker built in it is known who
// has a session.
func (n *node) fabric(ctx context.Context, key string) *explain.Fabric {
	vrf, text, _ := strings.Cut(key, " ")
	prefix, err := netip.ParsePrefix(text)
	if err != nil || vrf != n.source.config.Load().VRF {
		return nil // another VRF's is not looked for in the default instance
	}
	var to []string
	has := true
	if n.embedded() {
		var list []model.Session
		if list, err = n.gobgp.Sessions(ctx); err == nil {
			to = withSession(list)
		}
	} else {
		to, has, err = n.bgpd.Told(ctx, prefix)
	}
	switch {
	case err != nil:
		return &explain.Fabric{Unknown: err.Error()}
	case !has:
		return &explain.Fabric{Silent: "FRR's default instance has no valid path to it: the import of the VRF is missing, or without effect"}
	case len(to) == 0:
		return &explain.Fabric{Silent: "no BGP neighbour is told: none has a session, or filters keep it from all"}
	case n.embedded():
		return &explain.Fabric{} // what each one's filter lets through is not worked out
	}
	return &explain.Fabric{Told: to}
}

func withSession(list []model.Session) (names []string) {
	for _, s := range list {
		if s.Up() {
			names = append(names, s.Name)
		}
	}
	return names
}
