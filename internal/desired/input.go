// Package desired holds the decisions: which addresses this node must announce, what carries them, and why each
// is or is not here. It is pure: the same input gives the same bytes. One file per OVN noun. Start at Node.
package desired

import (
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// Input is everything the decisions depend on besides the configuration. Saved to a file it is a test case.
type Input struct {
	OVN  ovn.Snapshot `json:"ovn"`
	Host model.Host   `json:"host"`
	RIB  model.RIB    `json:"rib,omitzero"`
}
