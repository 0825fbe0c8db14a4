package frr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/plan"
)

// Cleanup returns the steps that take our lines away again, none when they are not there: those of our VRF, and of
// others that were ours under another configuration. An instance of a VRF that holds nothing but our lines goes as a
// whole; in one that holds more, only the redistribution goes. What redistributes by the route map goes before that does.
func (a *Applier) Cleanup(ctx context.Context, others ...string) ([]plan.Step, error) {
	vrfs := append([]string{a.options.VRF}, others...)
	slices.Sort(vrfs)
	vrfs = slices.Compact(vrfs)
	for _, vrf := range vrfs {
		if !validName(vrf) {
			return nil, fmt.Errorf("VRF %q is no name for FRR", vrf)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	have, err := a.read(ctx, a.options.VRF)
	if err != nil {
		return nil, err
	}
	steps := a.undrain(have)
	for _, vrf := range vrfs {
		for _, name := range []string{defaultVRF, vrf} {
			in, ok := have.instances[name]
			if !ok || in.as != a.options.AS {
				continue
			}
			if text, lines := removal(difference{as: in.as, vrf: vrf}, name != defaultVRF, in); lines != nil {
				steps = append(steps, plan.Step{Verb: plan.Delete, Object: text, Why: "cleanup",
					Do: func(ctx context.Context) error { return a.bgpd.Configure(ctx, lines) }})
			}
		}
	}
	if have.ours.has(announceMap) {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: "route-map " + announceMap, Why: "cleanup",
			Do: func(ctx context.Context) error {
				return a.bgpd.Configure(ctx, []string{"no route-map " + announceMap})
			}})
	}
	return steps, nil
}

// removal returns what a step takes away, as text and as commands; no commands if there is nothing of ours.
func removal(names difference, inVRF bool, in instance) (string, []string) {
	if inVRF && onlyOurs(in) {
		return names.header(true), []string{"no " + names.header(true)}
	}
	ours := func(line string) bool { return line == "import vrf "+names.vrf }
	if inVRF {
		ours = isRedistribute
	}
	lines := []string{names.header(inVRF)}
	var texts []string
	for _, family := range families() {
		for _, line := range in.lines[family] {
			if ours(line) {
				lines = append(lines, "address-family "+family, "no "+line, "exit-address-family")
				texts = append(texts, line+" ("+strings.TrimSuffix(family, " unicast")+")")
			}
		}
	}
	if texts == nil {
		return "", nil
	}
	return names.header(inVRF) + ": -" + strings.Join(texts, " -"), append(lines, "exit")
}

func isRedistribute(line string) bool {
	return line == "redistribute connected" || line == "redistribute kernel" || line == redistribution("kernel")
}

// onlyOurs tells whether the instance holds nothing but what we, or the old agent, put there.
func onlyOurs(in instance) bool {
	for family, lines := range in.lines {
		for _, line := range lines {
			routerID := family == "" && strings.HasPrefix(line, "bgp router-id ")
			if !routerID && (!slices.Contains(families(), family) || !isRedistribute(line)) {
				return false
			}
		}
	}
	return true
}
