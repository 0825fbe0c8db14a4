package ovn

import (
	"errors"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// While more is asked for, the state before stays; with other labels selected than it has, there is none.
func TestReleaseKeepsWhatIsComplete(t *testing.T) {
	now := time.Now()
	first, second := ovn.Snapshot{Database: "first"}, ovn.Snapshot{Database: "second"}
	s := &conditional{hold: time.Minute, unanswered: time.Hour, complete: true}
	expect := func(what, want string, snapshot ovn.Snapshot, labels ...string) {
		t.Helper()
		got, err := s.release(snapshot, labels, now)
		if want == "" && errors.Is(err, model.ErrNotInSync) {
			return
		}
		if err != nil || got.Database != want {
			t.Errorf("%s: %q, %v; want %q", what, got.Database, err, want)
		}
	}
	expect("complete", "first", first, "tier")
	s.complete = false
	expect("while more is asked for", "first", second, "tier")
	expect("with another label", "", second, "zone")
	s.complete = true
	expect("complete again", "second", second, "zone")
	s.complete = false
	s.current++ // connected anew
	expect("over another connection", "", second, "zone")
}

// After a while what is nearest is released, with the ports that fell out of the copy until the database has answered for
// them.
func TestReleaseAfterAWhile(t *testing.T) {
	now := time.Now()
	id := ovsdb.UUID{15: 1}
	had := ovn.Snapshot{Ports: []*ovn.LogicalSwitchPort{{UUID: id.String(), Name: "b"}}}
	has := ovn.Snapshot{Ports: []*ovn.LogicalSwitchPort{{UUID: "2", Name: "a"}, {UUID: "3", Name: "c"}}}
	for _, tt := range []struct {
		agreed uint64
		names  string
	}{{4, "abc"}, {5, "ac"}} {
		s := &conditional{hold: time.Second, unanswered: time.Hour, complete: true}
		if _, err := s.release(had, nil, now); err != nil {
			t.Fatal(err)
		}
		s.complete, s.missing, s.agreed = false, map[ovsdb.UUID]uint64{id: 5}, tt.agreed
		names := func(at time.Duration) (list string) {
			got, err := s.release(has, nil, now.Add(at))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range got.Ports {
				list += p.Name
			}
			return list
		}
		if got := names(0); got != "b" {
			t.Errorf("at once: %s, want b", got)
		}
		s.answers = steps - 1
		if got := names(2 * time.Second); got != "b" {
			t.Errorf("before enough answers: %s, want b", got)
		}
		s.answers = steps
		if got := names(2 * time.Second); got != tt.names {
			t.Errorf("after a while, answered up to %d: %s, want %s", tt.agreed, got, tt.names)
		}
	}
}
