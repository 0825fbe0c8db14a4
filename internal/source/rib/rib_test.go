package rib

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/osrg/gobgp/v4/pkg/server"

	"ovnbgp/internal/model"
)

// TestGone: what was told and is told no more is gone; what was not told yet is not; another server knows nothing of it.
func TestGone(t *testing.T) {
	s, first, second := &Source{}, &server.BgpServer{}, &server.BgpServer{}
	for i, c := range []struct {
		by        *server.BgpServer
		now, want []string
	}{
		{first, nil, nil},
		{first, []string{"0.0.0.0/0", "::/0"}, nil},
		{first, []string{"::/0"}, []string{"0.0.0.0/0"}},
		{first, nil, []string{"0.0.0.0/0", "::/0"}},
		{first, []string{"0.0.0.0/0"}, []string{"::/0"}},
		{second, nil, nil},
	} {
		var now []model.Learned
		for _, p := range c.now {
			now = append(now, model.Learned{Prefix: netip.MustParsePrefix(p)})
		}
		var got []string
		for _, p := range s.gone(c.by, now) {
			got = append(got, p.String())
		}
		if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
}
