package frr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/plan"
)

// Cleanup returns the steps that take our lines away again, none when they are not there: those of our VRF, and of
// others that were ours under another configuration. An instance of a VRF that holds nothing but our lines goes as a
// whole; in one that holds more, only the redistribution goes. What redistributes by a route map goes before that does.
//
// Of mode Managed that is all that goes, and frr.conf is the operator's again (handBack). Neighbours, filters and the loopback stay:
// the host itself may be reached by them, and whoever cleans up a node wants to stay on it.
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
			if object, lines := removal(difference{as: in.as, vrf: vrf}, name != defaultVRF, in); lines != nil {
				steps = append(steps, plan.Step{Verb: plan.Delete, Object: object, Why: "cleanup",
					Do: func(ctx context.Context) error { return a.bgpd.Configure(ctx, lines) }})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have.ours.maps)) {
		if name == announceMap || text.Announces(name) {
			steps = append(steps, plan.Step{Verb: plan.Delete, Object: "route-map " + name, Why: "cleanup",
				Do: func(ctx context.Context) error { return a.bgpd.Configure(ctx, []string{"no route-map " + name}) }})
		}
	}
	back, err := a.handBack()
	return append(steps, back...), err
}

// handBack returns the step that makes a frr.conf of ours the operator's again: what it was before, where that was kept, for
// FRR's next start; else what FRR runs with, without our claim to it.
func (a *Applier) handBack() ([]plan.Step, error) {
	path := filepath.Join(a.options.ConfDir, "frr.conf")
	if a.options.ConfDir == "" {
		return nil, nil
	}
	had, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read FRR's file: %w", err)
	}
	if !isOwned(had) {
		return nil, nil
	}
	before := path + backupSuffix
	if !absent(before) {
		return []plan.Step{{Verb: plan.Update, Object: "file " + path + ": as it was before, from FRR's next start on", Why: "cleanup",
			Do: func(context.Context) error { return os.Rename(before, path) }}}, nil
	}
	return []plan.Step{{Verb: plan.Update, Object: "file " + path + ": what FRR runs with", Why: "cleanup",
		Do: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			running, err := a.readAll(ctx)
			if err != nil {
				return err
			}
			return replaceFile(path, []byte(text.Saved(text.Config{}, nil)+text.File(running.Merged())))
		}}}, nil
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
	source, list, mapped := strings.Cut(strings.TrimPrefix(line, "redistribute "), " route-map ")
	return strings.HasPrefix(line, "redistribute ") && (source == "connected" || source == "kernel") &&
		(!mapped || source == "kernel" && list == announceMap || text.Announces(list))
}

// onlyOurs tells whether the instance holds nothing but what we, or the old agent, put there.
func onlyOurs(in instance) bool {
	for family, lines := range in.lines {
		for _, line := range lines {
			own := family == "" && (strings.HasPrefix(line, "bgp router-id ") || line == drainLine)
			if !own && (!slices.Contains(families(), family) || !isRedistribute(line)) {
				return false
			}
		}
	}
	return true
}
