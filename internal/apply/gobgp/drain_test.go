package gobgp

import "testing"

// TestRealDrainAtStart: a speaker without paths has told nobody anything.
func TestRealDrainAtStart(t *testing.T) {
	s := newSide(t)
	ip(t, "link set lo up")
	want := node()
	want.BGP.Drained = true
	want.Announcements = announced("203.0.113.9/32")
	s.round(want)
	if d, err := s.Draining(t.Context()); err != nil || d.InForce {
		t.Errorf("drained without a path: %+v, %v", d, err)
	}
	s.apply(want)
	if d, err := s.Draining(t.Context()); err != nil || !d.InForce {
		t.Errorf("not drained: %+v, %v", d, err)
	}
	want.BGP.Drained = false
	s.apply(want)
	if d, err := s.Draining(t.Context()); err != nil || d.InForce {
		t.Errorf("drained, and not asked to be: %+v, %v", d, err)
	}
}
