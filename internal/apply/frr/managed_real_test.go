package frr

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/client/vty"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

// forEachFRR runs a test with each FRR there is.
func forEachFRR(t *testing.T, test func(*testing.T, real)) {
	t.Helper()
	for name, root := range fake.Roots(t) {
		t.Run(name, func(t *testing.T) { test(t, startManaged(t, root)) })
	}
}

func startManaged(t *testing.T, root string) real {
	t.Helper()
	d := fake.StartAll(t, root)
	for _, a := range []string{"10.0.0.1/32", "2001:db8::1/128"} {
		d.IP("addr", "add", a, "dev", "lo")
	}
	for _, dev := range []string{"eth1", "eth2"} {
		d.IP("link", "add", dev, "type", "veth", "peer", "name", dev+"-peer")
		d.IP("link", "set", dev, "up")
		d.IP("link", "set", dev+"-peer", "up")
	}
	d.IP("netns", "add", "vrf-10") // from 10.4 on zebra does not survive "no vni" in a namespace that it has not seen
	d.IP("netns", "add", "peers")
	d.IP("link", "set", "eth1-peer", "netns", "peers")
	d.IP("-n", "peers", "link", "set", "eth1-peer", "up")
	d.IP("addr", "add", "192.0.2.100/24", "dev", "eth1")
	d.IP("addr", "add", "2001:db8:1::100/64", "dev", "eth1", "nodad")
	for i := range 4 {
		d.IP("-n", "peers", "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth1-peer")
	}
	conf := t.TempDir()
	r := real{t: t, Daemons: d, Applier: New(Options{Sockets: d.Dir, AS: 64999, VRF: "bgp-vrf", Interval: 50 * time.Millisecond,
		Mode: Managed, ConfDir: conf, Vtysh: vtyshOf(t, root)}), operator: vty.New(filepath.Join(d.Dir, "bgpd.vty"))}
	t.Cleanup(func() { _, _ = r.Close(), r.operator.Close() })
	return r
}

// vtyshOf is a vtysh that runs in a tree: a script, because the paths it is given are the host's.
func vtyshOf(t *testing.T, root string) string {
	t.Helper()
	if root == "" {
		return "vtysh"
	}
	script := filepath.Join(t.TempDir(), "vtysh")
	text := fmt.Sprintf(`#!/bin/sh
# --vty_socket DIRECTORY [-C] -f FILE
root=%s
sockets=${2#$root}; shift 2
check=; [ "$1" = -C ] && { check=-C; shift; }
cp "$2" "$root$sockets/input.conf"
chroot "$root" vtysh --vty_socket "$sockets" $check -f "$sockets/input.conf"
`, root)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func settle(t *testing.T, r real, want model.Node) {
	t.Helper()
	for range 3 {
		if did := r.round(t, want); did == nil {
			return
		}
	}
	version, _ := r.version(t.Context())
	config, _ := text.Render(want, version)
	target, err := r.compareAll(t.Context(), config, version)
	t.Fatalf("it does not settle: %v\n%s", err, cmp.Diff([]text.Change(nil), target.diff.Changes))
}

func TestManagedReadsBack(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		for name, want := range features() {
			t.Run(name, func(t *testing.T) {
				settle(t, r, want)
				if did := r.round(t, want); did != nil {
					t.Errorf("a second round did %q", did)
				}
				checkShown(t, r, want)
			})
		}
	})
}

// rendered is what FRR is to run with.
func (r real) rendered(t *testing.T, want model.Node) text.Config {
	t.Helper()
	version, err := r.version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config, err := text.Render(want, version)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// checkShown: what is written in the file is what FRR shows, statement by statement.
func checkShown(t *testing.T, r real, want model.Node) {
	t.Helper()
	config := r.rendered(t, want)
	file, err := os.ReadFile(filepath.Join(r.options.ConfDir, "frr.conf"))
	if err != nil {
		t.Fatal(err)
	}
	running, err := r.readAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := text.Diff(config, running); !d.Empty() {
		t.Errorf("what runs: %v", d.Changes)
	}
	if d := text.Diff(config, text.Running{text.BGP: text.Parse(string(file)), text.Zebra: text.Parse(string(file)),
		text.BFD: text.Parse(string(file))}); !d.Empty() {
		t.Errorf("what is saved: %v", d.Changes)
	}
	if out := r.runVtysh(context.Background(), string(file), "-C"); out != nil {
		t.Errorf("the file is refused: %v", out)
	}
	if info, err := os.Stat(filepath.Join(r.options.ConfDir, "frr.conf")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("frr.conf: %v, %v", info.Mode(), err)
	}
}

func prefixRange(p string, ge, le int) model.PrefixRange {
	return model.PrefixRange{Prefix: netip.MustParsePrefix(p), GE: ge, LE: le}
}
