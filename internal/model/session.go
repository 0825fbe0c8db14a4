package model

import (
	"net/netip"
	"slices"
	"time"
)

// Session is a BGP neighbour as the speaker sees it now.
type Session struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address,omitzero"`
	AS      uint32     `json:"as,omitempty"`
	// State is the session's, in BGP's words: "established", "active", "idle".
	State       string          `json:"state"`
	Since       time.Time       `json:"since,omitzero"` // of an established session
	Established uint64          `json:"established"`    // times that it came up
	Families    []SessionFamily `json:"families,omitempty"`
	// BFD is the state of its BFD session: "up", "down"; "" where there is none, or the speaker is FRR, which is not asked.
	BFD      string `json:"bfd,omitempty"`
	BFDDowns uint64 `json:"bfdDowns,omitempty"`
	// Warning is what is not as it should be: more prefixes than expected, or why the speaker closed the session itself.
	Warning string `json:"warning,omitempty"`
	// LastError is why the session is down, as far as the speaker knows, in its own words; "" while it is up.
	LastError string `json:"lastError,omitempty"`
}

// SessionFamily counts the prefixes of one family in a session.
type SessionFamily struct {
	Family   BGPFamily `json:"family"`
	Received uint64    `json:"received"`
	Sent     uint64    `json:"sent"`
}

// States of a session, as FRR calls them too.
const (
	SessionEstablished = "established"
	SessionShut        = "idle (admin)" // by this node's own operator
)

// Up tells whether the session is established.
func (s Session) Up() bool { return s.State == SessionEstablished }

// Down tells whether the session should be up and is not.
func (s Session) Down() bool { return !s.Up() && s.State != SessionShut }

// Has tells whether a family is spoken, or to be spoken, with the neighbour.
func (s Session) Has(f BGPFamily) bool {
	return slices.ContainsFunc(s.Families, func(x SessionFamily) bool { return x.Family == f })
}
