package speaker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/bfd"
)

// TestCourse plays what happens to a neighbour, from its configuration on.
func TestCourse(t *testing.T) {
	type step struct {
		in    input
		bgp   phase
		bfd   watch
		deeds []action
	}
	holds := []action{renewBGP, waitForBFD}
	for _, tt := range []struct {
		name                  string
		watched, known, bfdUp bool
		want                  course
		deeds                 []action
		steps                 []step
	}{
		{name: "without BFD", want: course{bgp: open}, deeds: []action{closeBFD}, steps: []step{
			{in: bgpUp, bgp: up}, {in: bgpDown, bgp: open}, {in: bgpUp, bgp: up}, {in: bgpEnded, bgp: open}}},
		{name: "new: BFD begins after BGP", watched: true, want: course{bgp: open, bfd: later}, deeds: []action{waitForBGP}, steps: []step{
			{in: bgpUp, bgp: up, bfd: down, deeds: []action{beginBFD}}, {in: bfdUp, bgp: up, bfd: alive},
			{in: bgpDown, bgp: open, bfd: alive}, {in: bgpUp, bgp: up, bfd: alive}}},
		{name: "new, and BGP does not come up", watched: true, want: course{bgp: open, bfd: later}, deeds: []action{waitForBGP}, steps: []step{
			{in: waitOver, bgp: open, bfd: down, deeds: []action{beginBFD}}, {in: waitOver, bgp: open, bfd: down},
			{in: bfdUp, bgp: open, bfd: alive}, {in: bgpUp, bgp: up, bfd: alive}}},
		{name: "known: BGP begins after BFD", watched: true, known: true, want: course{bgp: held, bfd: down},
			deeds: []action{beginBFD, waitForBFD}, steps: []step{
				{in: bfdUp, bgp: open, bfd: alive, deeds: []action{enableBGP}}, {in: bgpUp, bgp: up, bfd: alive}, {in: waitOver, bgp: up, bfd: alive}}},
		{name: "known, and BFD goes on", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive}, deeds: []action{beginBFD}},
		{name: "known: BFD does not come up", watched: true, known: true, want: course{bgp: held, bfd: down},
			deeds: []action{beginBFD, waitForBFD}, steps: []step{
				{in: waitOver, bgp: open, bfd: down, deeds: []action{enableBGP}}, {in: bgpUp, bgp: up, bfd: down}, {in: bfdUp, bgp: up, bfd: alive}}},
		{name: "the path breaks and is mended", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bfdFailed, bgp: held, bfd: down, deeds: holds},
				{in: bgpUp, bgp: held, bfd: down}, {in: bgpDown, bgp: held, bfd: down}, // reported late, of the session that was ended
				{in: bfdUp, bgp: open, bfd: alive, deeds: []action{enableBGP}}, {in: bgpUp, bgp: up, bfd: alive}}},
		{name: "the path breaks for long", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bfdFailed, bgp: held, bfd: down, deeds: holds},
				{in: waitOver, bgp: open, bfd: down, deeds: []action{enableBGP}},
				{in: bgpUp, bgp: up, bfd: down}, {in: bfdUp, bgp: up, bfd: alive}, {in: bfdFailed, bgp: held, bfd: down, deeds: holds}}},
		{name: "the neighbour begins BFD anew", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bfdClosed, bgp: up, bfd: down}, {in: bfdUp, bgp: up, bfd: alive}}},
		{name: "bgpd of FRR ends BGP by it", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bfdClosed, bgp: up, bfd: down}, {in: bgpEnded, bgp: held, bfd: down, deeds: holds},
				{in: bfdUp, bgp: open, bfd: alive, deeds: []action{enableBGP}}}},
		{name: "the neighbour ends BGP alone", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bgpEnded, bgp: open, bfd: alive}}},
		{name: "the neighbour restarts: what it told is kept", watched: true, known: true, bfdUp: true, want: course{bgp: open, bfd: alive},
			deeds: []action{beginBFD}, steps: []step{
				{in: bgpUp, bgp: up, bfd: alive}, {in: bgpDown, bgp: open, bfd: alive}, {in: bfdFailed, bgp: open, bfd: down},
				{in: bgpUp, bgp: up, bfd: down}, {in: bfdUp, bgp: up, bfd: alive}}},
		{name: "a stranger", watched: true, want: course{bgp: open, bfd: later}, deeds: []action{waitForBGP}, steps: []step{
			{in: bgpStranger, bgp: refused, bfd: later, deeds: []action{disableBGP, waitToRetry}}, {in: bgpDown, bgp: refused, bfd: later},
			{in: waitOver, bgp: open, bfd: later, deeds: []action{enableBGP, waitForBGP}}, {in: bgpUp, bgp: up, bfd: down, deeds: []action{beginBFD}}}},
		{name: "BFD is wanted later, and no more", want: course{bgp: open}, deeds: []action{closeBFD}, steps: []step{
			{in: bfdWanted, bgp: open, bfd: later, deeds: []action{waitForBGP}}, {in: bfdWanted, bgp: open, bfd: later}, {in: bfdUnwanted, bgp: open, deeds: []action{closeBFD}},
			{in: bgpUp, bgp: up}, {in: bfdWanted, bgp: up, bfd: down, deeds: []action{beginBFD}}, {in: bfdWanted, bgp: up, bfd: down, deeds: []action{beginBFD}},
			{in: bfdUnwanted, bgp: up, deeds: []action{closeBFD}}, {in: bfdFailed, bgp: up}, {in: bfdUp, bgp: up}}},
		{name: "BFD is wanted no more while BGP waits", watched: true, known: true, want: course{bgp: held, bfd: down},
			deeds: []action{beginBFD, waitForBFD}, steps: []step{
				{in: bfdUnwanted, bgp: open, deeds: []action{closeBFD, enableBGP}}, {in: waitOver, bgp: open}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, deeds := begin(tt.watched, tt.known, tt.bfdUp)
			if c != tt.want || !cmp.Equal(deeds, tt.deeds) {
				t.Errorf("begins with %+v, %v; want %+v, %v", c, deeds, tt.want, tt.deeds)
			}
			for i, s := range tt.steps {
				if deeds := c.on(s.in); c.bgp != s.bgp || c.bfd != s.bfd || !cmp.Equal(deeds, s.deeds) {
					t.Fatalf("step %d: %+v, %v; want %v, %v, %v", i, c, deeds, s.bgp, s.bfd, s.deeds)
				}
			}
		})
	}
}

// TestRefusals: they are counted until the neighbour is who it should be.
func TestRefusals(t *testing.T) {
	c, _ := begin(false, false, false)
	for want := 1; want < 4; want++ {
		c.on(bgpStranger)
		c.on(bgpStranger) // reported twice
		if c.refusals != want {
			t.Errorf("%d refusals, want %d", c.refusals, want)
		}
		c.on(waitOver)
	}
	if c.on(bgpUp); c.refusals != 0 || c.bgp != up {
		t.Errorf("after it came up: %+v", c)
	}
}

// A BFD session of the process before is given the time to run out at the neighbour.
func TestPatienceWithBFD(t *testing.T) {
	for want, o := range map[time.Duration]bfd.Options{
		5900 * time.Millisecond: {Multiplier: 3, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond},
		15 * time.Second:        {Multiplier: 10, Transmit: 500 * time.Millisecond, Receive: time.Second},
	} {
		if got := patienceWithBFD(o); got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
}
