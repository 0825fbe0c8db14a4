package conformance

import (
	"flag"
	"maps"
	"slices"
)

// referenceFlag has the reference speaker play, too: when a case fails, it tells a fault of the bed from one of a speaker.
var referenceFlag = flag.Bool("reference", false, "play the reference speaker, too")

// kind is a speaker that the suite is played for.
type kind struct {
	frr  bool // needs FRR's daemons on its node
	open func(place) (speaker, error)
}

// speakers are the speakers by name.
func speakers() map[string]kind {
	return map[string]kind{
		"reference": {frr: true, open: openReference},
		"frr":       {frr: true, open: openFRR},
		"gobgp":     {open: openGoBGP},
	}
}

// speakerNames lists whom the suite is played for.
func speakerNames() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(speakers())), func(name string) bool {
		return name == "reference" && !*referenceFlag
	})
}
