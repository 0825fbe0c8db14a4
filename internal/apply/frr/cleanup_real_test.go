package frr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// TestManagedCleanup: what announces goes, neighbours stay, and frr.conf is the operator's again: as it was before where that
// was kept, else what FRR runs with. A second cleanup, in whatever mode, has nothing to do.
func TestManagedCleanup(t *testing.T) {
	const operators = "hostname before\n!\nrouter bgp 64999\n bgp router-id 10.0.0.1\nexit\n"
	for name, before := range map[string]string{"kept before": operators, "nothing before": ""} {
		t.Run(name, func(t *testing.T) {
			r := startManaged(t, "")
			path := filepath.Join(r.options.ConfDir, "frr.conf")
			if before != "" {
				if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			r.addVRF(t)
			want := baseNode()
			want.Announcements = []model.Announcement{announced("203.0.113.9/32", model.Attributes{Communities: []model.Community{64999<<16 | 1}})}
			want.BGP.Drained = true
			settle(t, r, want)
			cleanup(t, r)
			text := r.running(t)
			all, err := r.operator.Show(t.Context(), "show running-config")
			if err != nil {
				t.Fatal(err)
			}
			for _, gone := range []string{"vrf bgp-vrf\n", "graceful-shutdown", "route-map ovnbgp-connected", "route-map ovnbgp-kernel"} {
				if strings.Contains(strings.ReplaceAll(string(all), "match source-vrf bgp-vrf", ""), gone) {
					t.Errorf("%q is left:\n%s", gone, all)
				}
			}
			if !strings.Contains(text, "neighbor 192.0.2.1 remote-as 65000") || !strings.Contains(text, "route-map ovnbgp-out-leaf1-ipv4 out") {
				t.Errorf("the neighbours are gone:\n%s", text)
			}
			file, err := os.ReadFile(path)
			if err != nil || isOwned(file) || before != "" && string(file) != before || !absent(path+backupSuffix) {
				t.Errorf("frr.conf: %v\n%s", err, file)
			}
			if before == "" && (!strings.Contains(string(file), "neighbor 192.0.2.1 remote-as 65000") ||
				r.runVtysh(t.Context(), string(file), "-C") != nil) {
				t.Errorf("frr.conf is not what FRR runs with:\n%s", file)
			}
			for _, mode := range []Mode{Managed, Assist} {
				r.options.Mode = mode
				if steps, err := r.Cleanup(t.Context()); err != nil || len(steps) > 0 {
					t.Errorf("again, in mode %s: %v, %v", mode, err, steps)
				}
			}
		})
	}
}

func cleanup(t *testing.T, r real) {
	t.Helper()
	steps, err := r.Cleanup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		t.Log(s.String())
		if err := s.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAssistEndsAManagedDrain: a drain of mode managed carries its mark, so that mode assist does not take it for the
// operator's.
func TestAssistEndsAManagedDrain(t *testing.T) {
	r := startManaged(t, "")
	want := baseNode()
	want.Leak.Device = "bgp-nic"
	want.BGP.Drained = true
	settle(t, r, want)
	r.options.Mode = Assist
	want.BGP.Drained = false
	for range 3 {
		r.round(t, want)
	}
	if text := r.running(t); strings.Contains(text, drainLine) {
		t.Errorf("still drained:\n%s", text)
	}
	if remarks := r.Remarks(); remarks != nil {
		t.Errorf("remarks: %v", remarks)
	}
}

// TestPermanentGracefulShutdownByMode: the operator's own line is remarked on in every mode.
func TestPermanentGracefulShutdownByMode(t *testing.T) {
	for _, mode := range []Mode{Assist, Managed, Observe} {
		t.Run(string(mode), func(t *testing.T) {
			r := startManaged(t, "")
			r.options.Mode = mode
			want := baseNode()
			want.Leak.Device = "bgp-nic"
			want.BGP.Raw = []string{"router bgp 64999", " bgp graceful-shutdown", "exit"}
			r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", drainLine, "exit")
			for range 3 {
				r.round(t, want)
			}
			if remarks := r.Remarks(); len(remarks) != 1 || remarks[0].Reason != "permanent-graceful-shutdown" {
				t.Errorf("remarks: %v", remarks)
			}
		})
	}
}
