package host

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

type kernel netlink.Actual

func (k kernel) Actual(context.Context) (netlink.Actual, error) { return netlink.Actual(k), nil }

func TestSnapshotFindsTables(t *testing.T) {
	dir := t.TempDir()
	shipped, own := filepath.Join(dir, "shipped"), filepath.Join(dir, "own")
	text := "# reserved\n255\tlocal\n254\tmain\nnot a line of three\n\n0x12 hex\n99999999999 toobig\n"
	if err := os.WriteFile(shipped, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("201 br-ex # by the old agent\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	k := kernel{
		Links: []netlink.Link{{Index: 3, Name: "br-vlan"}, {Index: 4, Name: "bgp-vrf", Kind: "vrf", Table: 10}},
		Rules: []netlink.Rule{{Family: netlink.IPv4, Table: 201}, {Family: netlink.IPv6, Table: 254},
			{Family: netlink.IPv4, Table: 17, Protocol: model.Protocol},
			{Family: netlink.IPv4, Table: 18, Protocol: model.Protocol}},
		Routes: []netlink.Route{
			{Table: 17, Dst: any4, LinkIndex: 3, Protocol: model.Protocol},
			{Table: 18, Dst: any4, LinkIndex: 3, Protocol: netlink.ProtoBoot},                               // another's
			{Table: 10, Dst: netip.MustParsePrefix("192.0.2.1/32"), LinkIndex: 3, Protocol: model.Protocol}, // no default
		},
	}
	s := Source{Kernel: k, RTTables: []string{shipped, filepath.Join(dir, "absent"), own}}
	got, err := s.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got.Name = "node"
	want := model.Host{
		Name: "node",
		RTTables: []model.RTTable{{ID: 18, Name: "hex"}, {ID: 201, Name: "br-ex"}, {ID: 254, Name: "main"},
			{ID: 255, Name: "local"}},
		Tables:       []uint32{10, 17, 18, 201, 254},
		OwnTables:    []uint32{17},
		BridgeTables: []model.RTTable{{ID: 17, Name: "br-vlan"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
}
