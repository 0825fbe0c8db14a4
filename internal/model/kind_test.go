package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKindNames(t *testing.T) {
	n := Node{Announcements: []Announcement{{Kinds: []Kind{KindPort}}, {}, {Kinds: []Kind{KindFloatingIP, KindGateway, KindPort}}}}
	if d := cmp.Diff([]string{"port", "", "floating-ip,gateway,port"}, n.KindNames()); d != "" {
		t.Errorf("kinds (-want +got):\n%s", d)
	}
}
