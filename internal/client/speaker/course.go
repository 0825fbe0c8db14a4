package speaker

// What follows for the BGP session with a neighbour from its BFD session is decided here, and done in peers.go.
//
// BFD first, BGP after, is the order with a neighbour that may remember a BFD session with us: of this process, or of the
// one before it. A new BFD session begins by saying that it is down, which to such a neighbour is a broken path: it would
// end a BGP session that has just come up, and forget what it had kept for graceful restart. With a neighbour that is new
// BFD begins after BGP: bgpd of FRR 8.4 registers its BFD session anew when it learns its own address of its first BGP
// session, takes the end of the old one for a broken path if that was up, and ends BGP. BGP that does not come up is not
// waited for: bgpd of FRR 10.3 that has lost a BFD session with this address leaves BGP idle until BFD is up again.
//
// A path that BFD finds broken ends BGP at once, graceful restart or not (RFC 5882, 4.3). A neighbour that closes its BFD
// session or begins it anew says nothing of the path (RFC 5882, 3.2), and BGP stays; its hold time watches until BFD is up
// again. If it is FRR that took this for a broken path, it ends BGP itself.

// phase is where the BGP session with a neighbour stands.
type phase uint8

const (
	held    phase = iota // it waits for BFD
	open                 // it may come up
	up                   // it is up
	refused              // the neighbour is not who it should be; to be tried again
)

// watch is where the BFD session stands.
type watch uint8

const (
	unwatched watch = iota // none is wanted
	later                  // it begins when BGP is up
	down                   // it has begun
	alive                  // it is up
)

// course is how far a neighbour's sessions have come.
type course struct {
	bgp      phase
	bfd      watch
	refusals int // times in a row that it came up with who it should not
}

// input is what happens to a neighbour's sessions.
type input uint8

const (
	bfdUp       input = iota
	bfdFailed         // the path is broken
	bfdClosed         // the neighbour closes its session, or begins it anew
	bfdWanted         // by the configuration, with these timers
	bfdUnwanted       // by the configuration
	bgpUp
	bgpStranger // it came up with who it should not
	bgpDown
	bgpEnded // the neighbour has ended it, and nothing is kept of what it told
	waitOver // for BFD, for BGP, or to try again
)

// action is what is to be done about it.
type action uint8

const (
	beginBFD    action = iota // or give it its timers
	closeBFD                  //
	enableBGP                 // it may come up
	disableBGP                // end it and keep it from coming up
	renewBGP                  // end it, forget what the neighbour told, and hold the next
	waitForBFD                // a moment, until waitOver
	waitForBGP                // a moment, until waitOver
	waitToRetry               // longer with each refusal, until waitOver
)

// begin is the course with a neighbour that is configured: watched by BFD or not, known to it or not, its BFD session up
// already or not.
func begin(watched, known, bfdIsUp bool) (course, []action) {
	switch {
	case !watched:
		return course{bgp: open}, []action{closeBFD}
	case !known:
		return course{bgp: open, bfd: later}, []action{waitForBGP}
	case bfdIsUp:
		return course{bgp: open, bfd: alive}, []action{beginBFD}
	}
	return course{bgp: held, bfd: down}, []action{beginBFD, waitForBFD}
}

// on goes on by what happened. What comes late, of a session that is another by now, changes nothing.
func (c *course) on(in input) []action {
	switch in {
	case bfdUp, bfdFailed, bfdClosed:
		if c.bfd == unwatched || c.bfd == later {
			return nil
		}
		return c.onBFD(in)
	case bfdWanted:
		return c.wanted()
	case bfdUnwanted:
		c.bfd = unwatched
		return append([]action{closeBFD}, c.release()...)
	case bgpUp, bgpStranger, bgpDown, bgpEnded:
		return c.onBGP(in)
	case waitOver:
		return c.waited()
	}
	return nil
}

func (c *course) waited() []action {
	switch {
	case c.bgp == refused && c.bfd == later:
		c.bgp = open
		return []action{enableBGP, waitForBGP}
	case c.bgp == refused:
		c.bgp = open
		return []action{enableBGP}
	case c.bfd == later:
		c.bfd = down
		return []action{beginBFD}
	}
	return c.release()
}

// onBFD: while the BGP session is down already there is nothing to end. The neighbour restarts, and its BFD with it.
func (c *course) onBFD(in input) []action {
	if in == bfdUp {
		c.bfd = alive
		return c.release()
	}
	c.bfd = down
	if in == bfdFailed && c.bgp == up {
		c.bgp = held
		return []action{renewBGP, waitForBFD}
	}
	return nil
}

// release has a BGP session begin that waits for BFD.
func (c *course) release() []action {
	if c.bgp != held {
		return nil
	}
	c.bgp = open
	return []action{enableBGP}
}

func (c *course) wanted() []action {
	switch {
	case c.bfd == later:
		return nil
	case c.bfd == unwatched && c.bgp == refused:
		c.bfd = later
		return nil
	case c.bfd == unwatched && c.bgp != up:
		c.bfd = later
		return []action{waitForBGP}
	case c.bfd == unwatched:
		c.bfd = down
	}
	return []action{beginBFD}
}

func (c *course) onBGP(in input) []action {
	switch {
	case in == bgpUp && c.bgp == open:
		c.bgp, c.refusals = up, 0
		if c.bfd == later {
			c.bfd = down
			return []action{beginBFD}
		}
	case in == bgpStranger && c.bgp == open:
		c.bgp, c.refusals = refused, c.refusals+1
		return []action{disableBGP, waitToRetry}
	case in == bgpDown && c.bgp == up:
		c.bgp = open
	case in == bgpEnded && c.bgp == up:
		return c.ended()
	}
	return nil
}

// ended: where BFD is down, too, the neighbour has ended BGP because of it (RFC 9384), and ours tells when to begin again. Else
// GoBGP waits for five seconds: a neighbour that cannot bear what we tell is not asked without end.
func (c *course) ended() []action {
	if c.bfd != down {
		c.bgp = open
		return nil
	}
	c.bgp = held
	return []action{renewBGP, waitForBFD}
}
