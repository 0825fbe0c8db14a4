// Package conformance holds no code but tests: what a speaker of BGP must do, played for every speaker we have against
// peers of other makes, and judged at the peer. FRR and BIRD are the peers, so that two implementations agree on what was
// said. The sessions, links and kernels are real (package fake/fabric).
//
// Each case is a function over a scene: leaves are added, a model.Node is handed to the speaker, peers are asked. A
// speaker or a peer that cannot play a case is listed there with the reason it must give itself.
//
// One speaker, "reference", is FRR with a configuration written for the case by the test. It shares no code with ours: a
// case that fails for it is a fault of the bed or of the case.
//
// Start at cases_test.go.
package conformance
