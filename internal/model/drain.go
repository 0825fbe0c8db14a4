package model

import "cmp"

// Told is how much of what a peer was sent, in one address family, asks it to send traffic elsewhere.
type Told struct {
	Peer    string    `json:"peer"`
	Family  BGPFamily `json:"family"`
	Up      bool      `json:"up"`               // its session is established
	Drained int       `json:"drained"`          // prefixes sent with the community graceful-shutdown
	Left    int       `json:"left"`             // and without
	Queued  bool      `json:"queued,omitempty"` // something is still to be sent
}

// Draining is how far a drain has come.
type Draining struct {
	InForce bool   `json:"inForce"` // the BGP daemon has been told
	Peers   []Told `json:"peers"`   // sorted
}

// Done tells that the peer knows, or that there is nobody to tell.
func (t Told) Done() bool { return !t.Up || t.Left == 0 && !t.Queued }

// CompareTold orders by peer, then family.
func CompareTold(a, b Told) int {
	return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Family, b.Family))
}
