package agent

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ovnbgp/internal/client/ovsdb"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/plan"
)

func TestCleanupOfAnEmptyNode(t *testing.T) {
	w := newWorld(t, fake.Start(t).Dir)
	for _, how := range []CleanupOptions{{DryRun: true}, {}} {
		steps, err := Cleanup(t.Context(), w.options, how)
		if err != nil || len(steps) > 0 {
			t.Errorf("%+v: %v, %+v", how, err, steps)
		}
	}
}

// What carries packets stays while FRR, which may still announce, does not answer; unless an operator says so.
func TestCleanupWithoutFRR(t *testing.T) {
	frr := fake.Start(t)
	w := newWorld(t, frr.Dir)
	frr.Down()
	ip(t, "rule", "add", "priority", "32000", "to", "203.0.113.9/32", "lookup", "200", "protocol", "179")
	w.local.Transact(t, ovsdb.Update("Open_vSwitch", nil, ovsdb.Columns{"external_ids": map[string]string{
		"system-id": "node1", "hostname": "node1", "ovnbgp-nb": "known"}}))
	there := func() bool { return strings.Contains(ip(t, "rule"), "203.0.113.9") }
	for _, how := range []CleanupOptions{{DryRun: true}, {}} {
		steps, err := Cleanup(t.Context(), w.options, how)
		if err == nil || !strings.Contains(err.Error(), "go on with --force") || len(steps) > 0 || !there() {
			t.Errorf("%+v: got %v, %+v; the rule is there: %v", how, err, steps, there())
		}
	}
	steps, err := Cleanup(t.Context(), w.options, CleanupOptions{Force: true})
	if err == nil || !strings.Contains(err.Error(), "frr: ") || !mentions(steps, "203.0.113.9") || there() {
		t.Errorf("forced: got %v, %+v; the rule is there: %v", err, steps, there())
	}
	frr.Up()
	frr.Type("router bgp 64999", "bgp router-id 10.0.0.1", "address-family ipv4 unicast", "import vrf bgp-vrf",
		"exit-address-family", "exit")
	steps, err = Cleanup(t.Context(), w.options, CleanupOptions{})
	if err != nil || !mentions(steps, "import vrf bgp-vrf") || !mentions(steps, "external_ids:ovnbgp-nb") || strings.Contains(frr.String(), "bgp-vrf") {
		t.Errorf("with FRR: got %v, %+v\n%s", err, steps, frr)
	}
	if steps, err = Cleanup(t.Context(), w.options, CleanupOptions{}); err != nil || len(steps) > 0 {
		t.Errorf("again: got %v, %+v", err, steps)
	}
}

func TestUntilNothingIsLeft(t *testing.T) {
	failed := errors.New("failed")
	tests := []struct {
		name   string
		passes []int // steps that work, pass by pass
		errs   []error
		dry    bool
		done   int
		err    string
	}{
		{name: "nothing", passes: []int{0}},
		{name: "one", passes: []int{5, 0}, done: 5},
		{name: "uncovered by the first", passes: []int{5, 1, 0}, done: 6},
		{name: "a failure that passes", passes: []int{5, 1, 0}, errs: []error{failed}, done: 6},
		{name: "a failure that stays", passes: []int{5, 0}, errs: []error{failed, failed}, done: 5, err: "failed"},
		{name: "all of it at the last", passes: []int{5, 1, 1, 0}, done: 7},
		{name: "somebody makes it anew", passes: []int{1, 1, 1, 1}, done: 3, err: "does something make it anew"},
		{name: "dry", passes: []int{5}, dry: true, done: 5},
	}
	for _, tt := range tests {
		pass := 0
		done, err := untilNothingIsLeft(CleanupOptions{DryRun: tt.dry}, func(CleanupOptions) ([]plan.Planned, error) {
			if pass == len(tt.passes) {
				t.Fatalf("%s: one pass more", tt.name)
			}
			var err error
			if pass < len(tt.errs) {
				err = tt.errs[pass]
			}
			pass++
			return make([]plan.Planned, tt.passes[pass-1]), err
		})
		if len(done) != tt.done || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) ||
			pass != len(tt.passes) {
			t.Errorf("%s: %d steps in %d passes, %v", tt.name, len(done), pass, err)
		}
	}
}

// A cleanup says what it waits for, and which option to look at when it has waited in vain.
func TestCleanupTellsWhatItWaitsFor(t *testing.T) {
	w := newWorld(t, fake.Start(t).Dir)
	w.local.Stop(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string, 1)
	w.options.Progress = func(text string) {
		told <- text
		cancel() // as the time does
	}
	_, err := Cleanup(ctx, w.options, CleanupOptions{DryRun: true})
	if text := <-told; text != "waiting for the local switch, for 30s at most" {
		t.Errorf("told %q", text)
	}
	if err == nil || !strings.Contains(err.Error(), "ovsdb_connection") {
		t.Errorf("the error is %v", err)
	}
	w.local.Run(t)
}
