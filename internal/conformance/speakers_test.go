package conformance

import (
	"maps"
	"slices"
)

// kind is a speaker that the suite is played for.
type kind struct {
	frr  bool // needs FRR's daemons on its node
	open func(place) (speaker, error)
}

// speakers are the speakers by name.
func speakers() map[string]kind {
	return map[string]kind{
		"reference": {frr: true, open: openReference},
	}
}

func speakerNames() []string { return slices.Sorted(maps.Keys(speakers())) }
