package api

import (
	"fmt"
	"time"

	"ovnbgp/internal/model"
)

const drainPath = "/v1/drain"

// DrainRequest asks for the node to be drained, or to be no more.
type DrainRequest struct {
	Drained bool `json:"drained"`
}

// DrainState says whether the node is drained, and how far that has come.
type DrainState struct {
	Drained bool      `json:"drained"`
	Since   time.Time `json:"since,omitzero"`
	model.Draining
}

// Waiting says what is missing, in a sentence; "" when every peer with a session has been told, and there is one.
func (s DrainState) Waiting() string {
	if !s.InForce {
		return "the BGP daemon has not been told yet"
	}
	waiting, first, anybody := 0, "", false
	for _, t := range s.Peers {
		anybody = anybody || t.Up
		if !t.Done() {
			if waiting++; first == "" {
				first = fmt.Sprintf("%s (%s): %d of %d prefixes", t.Peer, t.Family, t.Drained, t.Drained+t.Left)
			}
		}
	}
	switch {
	case !anybody:
		return "no peer has a session: nobody was told"
	case waiting == 0:
		return ""
	case waiting == 1:
		return "waiting for " + first
	}
	return fmt.Sprintf("waiting for %s, and %d more", first, waiting-1)
}
