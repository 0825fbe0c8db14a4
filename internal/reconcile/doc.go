// Package reconcile is the loop: it reads the source, has the state computed, plans, and runs the steps. It is the
// only place that knows order: carriers are built, announcers converge, carriers are cleared. Everything that
// keeps "announce only what forwards" true when reads and writes fail is here, and nothing that knows what a route
// or a flow is; subsystems are linked by the announcement keys that their steps serve, and by nothing else.
//
// One goroutine owns a loop. Sources and appliers poke it, requests come to it by a channel, and start-up, event,
// timer, retry and preview run the same round. What it remembers between rounds are times: since when a carrier is
// gone, which keys went within the guard's window, since when a set is held. What is announced, wanted or built is
// read each time, so a restart in the middle of anything begins from the truth.
//
// Start at Loop.Run; a round is round.run.
package reconcile
