package frr

import (
	"slices"
	"strings"

	"ovnbgp/internal/model"
)

// The kernel's routes are redistributed through a route map of ours, so that of a VRF's table only what leads to our
// device is announced. It also takes the metric away, which would be told as MED: an address and a route of the same
// prefix are announced alike. A line that redistributes them in another way is somebody else's, and does as well.
const (
	namePrefix  = "ovnbgp-"
	announceMap = namePrefix + "announce"
	onlyEntry   = "permit 10"
)

// objects are what bears our name prefix in a running configuration.
type objects struct {
	maps     map[string][]string // by name: the lines of entry permit 10
	lists    map[string]bool     // community lists by name
	drainAll bool                // "bgp graceful-shutdown" of all instances, which is the operator's alone
}

// parseObjects takes the route maps and community lists of ours out of a running configuration.
func parseObjects(text string) objects {
	found := objects{maps: map[string][]string{}, lists: map[string]bool{}}
	current := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if line[0] == ' ' {
			if current != "" {
				found.maps[current] = append(found.maps[current], strings.Join(words, " "))
			}
			continue
		}
		current = ""
		switch {
		case words[0] == "route-map" && len(words) == 4 && strings.HasPrefix(words[1], namePrefix):
			found.maps[words[1]] = slices.Clip(found.maps[words[1]]) // also an empty one is one
			if strings.Join(words[2:], " ") == onlyEntry {
				current = words[1]
			}
		case len(words) > 3 && words[1] == "community-list" && strings.HasPrefix(words[3], namePrefix):
			found.lists[words[3]] = true
		case strings.Join(words, " ") == drainLine:
			found.drainAll = true
		}
	}
	return found
}

// has tells whether there is a route map of that name.
func (o objects) has(name string) bool {
	_, there := o.maps[name]
	return there
}

// redistribution is how a source is redistributed: the kernel's routes never bare.
func redistribution(source string) string {
	text := "redistribute " + source
	if source == "kernel" {
		text += " route-map " + announceMap
	}
	return text
}

// usesMap tells whether the VRF's instance names our route map, or is to.
func usesMap(leak model.Leak, inVRF instance) bool {
	if !slices.Contains(leak.Redistribute, "kernel") {
		return false
	}
	return slices.ContainsFunc(families(), func(family string) bool {
		return !inVRF.has(family, "redistribute kernel") || inVRF.has(family, redistribution("kernel"))
	})
}

// missingMapLines lists what our route map lacks.
func missingMapLines(device string, have objects) []string {
	var missing []string
	for _, line := range []string{"match interface " + device, "set metric 0"} {
		if !slices.Contains(have.maps[announceMap], line) {
			missing = append(missing, line)
		}
	}
	return missing
}

func (d difference) mapCommands() []string {
	if d.maps == nil {
		return nil
	}
	all := append([]string{"route-map " + announceMap + " " + onlyEntry}, d.maps...)
	return append(all, "exit")
}
