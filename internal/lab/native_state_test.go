package lab

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A fabric whose start was ended in the middle is not up, though all its nodes live: it says so, and how to go on.
func TestHalfAFabricIsNotUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state nativeState
		up    bool
		says  string
	}{
		{"complete", nativeState{Complete: true}, true, ""},
		{"killed on the way", nativeState{}, false, "ended before all was there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.state.Topology = Topology{Nodes: []NodeSpec{{Name: "leaf"}}}
			tt.state.Pids = map[string]int{"leaf": os.Getpid()}
			text := value[[]byte](t)(json.Marshal(tt.state))
			must(t, os.WriteFile(filepath.Join(dir, stateFile), text, 0o600))
			f := value[*Fabric](t)(openFabric(dir)) // to look around in, and to end
			err := f.checkComplete()
			if (err == nil) != tt.up || !tt.up && (!errors.Is(err, ErrNotUp) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// That a fabric is complete is written after its last step, and never when one failed.
func TestBuildCompletesAtTheEnd(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		fail string
		want []string
	}{
		{"all went well", "", []string{"one", "two", "saved true"}},
		{"the last one failed", "two", []string{"one", "two"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &Fabric{}
			var did []string
			do := func(name string) step {
				return step{name, func(context.Context) error {
					did = append(did, name)
					if f.complete {
						t.Errorf("complete before %s", name)
					}
					if name == tt.fail {
						return broken
					}
					return nil
				}}
			}
			err := f.build(t.Context(), io.Discard, []step{do("one"), do("two")}, func() error {
				did = append(did, map[bool]string{true: "saved true", false: "saved false"}[f.complete])
				return nil
			})
			if (tt.fail != "") != errors.Is(err, broken) || !slices.Equal(did, tt.want) {
				t.Errorf("did %v, error %v", did, err)
			}
		})
	}
}

// What is missing is named before anything is built.
func TestMissingPrograms(t *testing.T) {
	there := func(names ...string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	all := func(string) bool { return true }
	if got := missingPrograms(all); len(got) > 0 {
		t.Errorf("missing %v", got)
	}
	got := strings.Join(missingPrograms(there("ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl", "ovs-appctl",
		"ovs-vswitchd", "vtysh", "/usr/lib/frr/zebra", "/usr/lib/frr/bgpd")), ", ")
	for _, want := range []string{"ovn-northd", "ovn-controller", "/usr/lib/frr/bfdd"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not among %s", want, got)
		}
	}
	if strings.Contains(got, "ovs-vswitchd") {
		t.Errorf("ovs-vswitchd is there: %s", got)
	}
}
