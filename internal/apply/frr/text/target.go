package text

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
)

// Route targets of a VRF. While none of a direction is typed FRR derives one from AS and VNI, once zebra has told it the VNI.
// One that is typed and the same is told apart from it by nobody (bgp_evpn.c and bgp_evpn_vty.c of 8.4 and 10.3):
//
//   - typed while the derived one is in force, it counts as there already: FRR says yes, does nothing and does not show it;
//   - typed before others, it is taken away as the derived one with the first of these.
//
// So it is typed last, again if it was there before others came, and alone only behind one that stands in: any typed target
// takes the derived one away.

// standIn is a target that nobody uses, of a reserved AS (RFC 7300).
const standIn = "65535:0"

// derivedTarget is the target that FRR derives: the AS's last 16 bits and the VNI.
func derivedTarget(as, vni uint32) string { return fmt.Sprintf("%d:%d", as&0xffff, vni) }

// imported lists the targets to be typed for import. The derived one alone is typed, too: left to itself FRR takes the VNI
// of every AS.
func imported(as uint32, x model.BGPVRF) []string {
	return derivedLast(x.Import, derivedTarget(as, x.VNI))
}

// exported lists the targets to be typed for export. The derived one alone is what FRR exports without a word.
func exported(as uint32, x model.BGPVRF) []string {
	derived := derivedTarget(as, x.VNI)
	if len(x.Export) == 1 && x.Export[0] == derived {
		return nil
	}
	return derivedLast(x.Export, derived)
}

func derivedLast(targets []string, derived string) []string {
	i := slices.Index(targets, derived)
	if i < 0 {
		return targets
	}
	return append(slices.Delete(slices.Clone(targets), i, i+1), derived)
}

// targetOf returns "route-target import", or export, of a statement that adds one.
func targetOf(c Change) string {
	words := strings.Fields(c.Line)
	if c.Verb != Add || len(words) != 3 || words[0] != "route-target" {
		return ""
	}
	return strings.Join(words[:2], " ")
}

// typed writes the targets among the changes so that FRR takes them. Cut short in between, what stands in is found as a
// statement that is not wanted, and what was lost as one that is missing.
func (d Difference) typed(changes []Change) []Change {
	var out []Change
	for i, c := range changes {
		target := targetOf(c)
		if target == "" {
			out = append(out, c)
			continue
		}
		among := func(x Change) bool { return targetOf(x) == target && slices.Equal(x.Path, c.Path) }
		first, last := !slices.ContainsFunc(changes[:i], among), !slices.ContainsFunc(changes[i+1:], among)
		derived := target + " " + d.derived(c.Path)
		have := at(d.have[BGP], c.Path)
		typedAny := slices.ContainsFunc(have, func(b Block) bool { return strings.HasPrefix(b.Line, target+" ") })
		also := func(line string) { out = append(out, Change{Daemon: c.Daemon, Path: c.Path, Verb: Add, Line: line}) }
		_, there := find(have, derived)
		_, wanted := find(at(d.want.Blocks, c.Path), derived)
		switch {
		case c.Line == derived && first && !typedAny:
			also(target + " " + standIn)
			out = append(out, c)
			also("no " + target + " " + standIn)
		case c.Line != derived && last && there && wanted:
			out = append(out, c)
			also(derived)
		default:
			out = append(out, c)
		}
	}
	return out
}

// derived is the target that FRR derives for the instance that a path leads into, "" where nothing is known of it.
func (d Difference) derived(path []string) string {
	words := strings.Fields(path[0]) // "router bgp 64999 vrf vrf-10"
	if len(words) < 5 || words[3] != "vrf" {
		return ""
	}
	as, err := strconv.ParseUint(words[2], 10, 32)
	if err != nil {
		return ""
	}
	vrf, _ := find(d.want.Blocks, "vrf "+words[4])
	for _, b := range vrf.In {
		if text, is := strings.CutPrefix(b.Line, "vni "); is {
			vni, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return ""
			}
			return derivedTarget(uint32(as), uint32(vni))
		}
	}
	return ""
}

// at returns what stands in the block that a path leads to.
func at(blocks []Block, path []string) []Block {
	for _, line := range path {
		b, _ := find(blocks, line)
		blocks = b.In
	}
	return blocks
}
