// Package reconcile is the loop: it reads the source, has the state computed, plans, and runs the steps. It is the
// only place that knows order. Everything that keeps "announce only what forwards" true when reads and writes fail is
// here, and nothing that knows what a route or a flow is; subsystems are linked by the announcement keys that their
// steps serve, and by nothing else.
//
// The order of a round (round.run):
//
//	read      the source; the state; what every announcer tells now
//	build     carriers create, update, adopt, in up to three passes; within each pass the sweep: deletes of carriers
//	          that stand in the way of wanted keys, where rule 3 allows
//	withhold  which wanted keys must not be announced (rules 1 and 4)
//	announce  by announcer: first what is withheld is taken back, then it creates and updates (rules 1 and 2)
//	withdraw  what is wanted no more, as far as the guard lets it go; the guard first asks the whole database about
//	          the keys that it would hold (before announce, where an announcer must tell what is held)
//	clear     all other deletes of carriers (rule 3)
//	accept    the identity of the database, if the guard says so
//
// An announcer whose plan failed counts as not read for rule 3, though it said what it tells: a BGP daemon that does
// not answer may still be believed by its peers.
//
// While the source cannot be read, the gate is closed: the round goes on with the last state that this process
// computed, but only makes. It builds without the sweep and announces what was wanted, rules 1 and 2 standing; it
// takes nothing back, what is not carried is mended without end, evidence is not asked for, no database is accepted.
// What depends on no source is the exception: its keys (Options.Free) and carriers (plan.Step.Free) come and go. Before
// anything was computed the round works by such things alone, and by what is announced, as it is (Options.First); without
// that it does nothing. Drift and restarts of daemons heal though the database is away; and a
// decision that nobody can check now is not made.
//
// An announcer in this process (a BGP speaker) begins with nothing. What another one still tells, and the guard holds, it
// is given beside what is wanted (Options.Kept): a restart withdraws nothing either.
//
// One goroutine owns a loop. Sources and appliers poke it, requests come to it by a channel, and start-up, event,
// timer, retry and preview run the same round. What it remembers between rounds are times: since when a carrier is
// gone, which keys went within the guard's window, since when a set is held, which step was repeated when; and the
// last state, for a closed gate and to tell another hand's changes from the source's. What is announced or built
// is read each time, so a restart in the middle of anything begins from the truth.
//
// The sets of keys:
//
//	set        meaning                                            lives for       read by
//	gone       wanted, a carrier is not in place                  a pass          withhold, mayClear
//	broken     since when a key is gone                           until mended    withhold, nextWake
//	leaving    since when a key is another node's                 until withdrawn withdraw, nextWake
//	mending    announced and gone, in its grace or at a closed gate  a round         announce
//	withheld   wanted, must not be announced now                  a round         announce, report
//	bad        mending, and what could not be taken back           announce        mayAnnounce
//	unread     carriers (not keys) whose state is not known       a round         withhold, mayAnnounce, mayClear
//	vanishing  announced and wanted no more: what is known of it  a round         because
//	undecided  vanish without a decision that explains it         a judgement     withdraw, guard.judge
//	held       vanish and are held                                until they go   withdraw, clear, status
//	letGo      unexplained keys that were not held                until read      guard.departures
//	released   let go by an operator or by time                   until gone      guard.undecided
//	departed   told within the window and told no more            guard_window    guard.tooMany
//
// Start at Loop.Run; a round is round.run.
package reconcile
