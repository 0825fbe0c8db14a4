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

// Waiting says whom the drain waits for, "" when every peer has been told.
func (s DrainState) Waiting() string {
	if !s.InForce {
		return "the BGP daemon has not been told yet"
	}
	waiting, first := 0, ""
	for _, t := range s.Peers {
		if !t.Done() {
			if waiting++; first == "" {
				first = fmt.Sprintf("%s (%s): %d of %d prefixes", t.Peer, t.Family, t.Drained, t.Drained+t.Left)
			}
		}
	}
	switch waiting {
	case 0:
		return ""
	case 1:
		return first
	}
	return fmt.Sprintf("%s, and %d more", first, waiting-1)
}
