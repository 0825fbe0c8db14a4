package frr

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
)

// running is what bgpd runs with.
type running struct {
	instances map[string]instance // by VRF; defaultVRF is the default instance
	vrfs      map[string]vrfState
	ours      objects
}

// defaultVRF is how "show bgp vrfs json" calls the default instance.
const defaultVRF = "default"

// instance is one "router bgp" block of the configuration.
type instance struct {
	as    uint32
	head  string              // its first line: "router bgp 64999 vrf bgp-vrf"
	lines map[string][]string // by address family ("ipv4 unicast"); "" is the block's own
}

// vrfState is what bgpd says of an instance, whatever its text.
type vrfState struct {
	RouterID string `json:"routerId"` // "0.0.0.0": none
	VRFID    int64  `json:"vrfId"`    // -1: bgpd knows no such VRF of the kernel
}

func families() []string { return []string{"ipv4 unicast", "ipv6 unicast"} }

// read asks bgpd. The VRF is the one whose state is wanted besides the default's.
func (a *Applier) read(ctx context.Context, vrf string) (running, error) {
	text, err := a.bgpd.Show(ctx, "show running-config")
	if err != nil {
		return running{}, fmt.Errorf("read FRR's configuration: %w", err)
	}
	have := running{instances: parse(string(text)), ours: parseObjects(string(text))}
	var states struct {
		VRFs map[string]vrfState `json:"vrfs"`
	}
	if err := a.bgpd.ShowJSON(ctx, "show bgp vrfs json", &states); err != nil {
		return running{}, fmt.Errorf("read FRR's instances: %w", err)
	}
	have.vrfs = map[string]vrfState{}
	for _, name := range []string{defaultVRF, vrf} {
		if state, ok := states.VRFs[name]; ok {
			have.vrfs[name] = state
		}
	}
	return have, nil
}

// parse takes the "router bgp" blocks out of a running configuration. A block ends with "exit" at the line's start,
// or where another block begins; within it, "address-family X" to "exit-address-family" is a part.
func parse(text string) map[string]instance {
	found := map[string]instance{}
	vrf, family := "", ""
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n")
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "!") {
			continue
		}
		if line[0] != ' ' {
			family, open = "", false
			if as, name, ok := header(words); ok {
				vrf, open = name, true
				found[vrf] = instance{as: as, head: line, lines: map[string][]string{}}
			}
			continue
		}
		if !open {
			continue
		}
		in := found[vrf]
		line = strings.TrimSpace(line)
		switch words[0] {
		case "address-family":
			family = strings.Join(words[1:], " ")
			in.lines[family] = slices.Clip(in.lines[family]) // also an empty part is a part
		case "exit-address-family":
			family = ""
		default:
			in.lines[family] = append(in.lines[family], line)
		}
		found[vrf] = in
	}
	return found
}

// header reads "router bgp 64999 [vrf NAME] …". Views are other people's.
func header(words []string) (as uint32, vrf string, ok bool) {
	if len(words) < 3 || words[0] != "router" || words[1] != "bgp" || slices.Contains(words, "view") {
		return 0, "", false
	}
	as, ok = parseAS(words[2])
	vrf = defaultVRF
	if len(words) >= 5 && words[3] == "vrf" {
		vrf = words[4]
	}
	return as, vrf, ok
}

// parseAS reads "64999", and "1.10" as FRR 10 shows it under "as-notation dot".
func parseAS(text string) (uint32, bool) {
	high, low, dotted := strings.Cut(text, ".")
	if !dotted {
		n, err := strconv.ParseUint(text, 10, 32)
		return uint32(n), err == nil
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	return uint32(h<<16 | l), err1 == nil && err2 == nil
}

// difference is what an instance lacks.
type difference struct {
	as       uint32
	vrf      string
	maps     []string // of the route map of ours
	lines    []missingLine
	obstacle error // why the lines cannot be added, whatever they are
}

// lacks tells whether anything is to be added.
func (d difference) lacks() bool { return len(d.lines) > 0 || len(d.maps) > 0 }

// missingLine is one line and where it belongs.
type missingLine struct {
	inVRF  bool   // in the VRF's instance; else in the default one
	family string // "" for the instance itself
	text   string
}

// compare lists what the leak needs and bgpd lacks, the VRF's instance first: an import of a VRF that has none
// creates one with settings nobody chose. A line that somebody wrote with more words ("redistribute connected
// route-map X") does what ours does and stays.
func compare(leak model.Leak, have running) difference {
	d := difference{as: leak.AS, vrf: leak.VRF}
	for _, name := range []string{defaultVRF, leak.VRF} {
		if in, ok := have.instances[name]; ok && in.as != leak.AS {
			d.obstacle = fmt.Errorf("FRR's BGP instance of VRF %s has AS %d, and bgp_AS is %d: one of them is wrong",
				name, in.as, leak.AS)
		}
	}
	inVRF := have.instances[leak.VRF]
	if id, ok := routerID(leak, have); !ok {
		if id == "" {
			id = "?"
			d.obstacle = cmp.Or(d.obstacle, fmt.Errorf("no router id for VRF %s: set bgp_router_id, or give FRR's default instance one",
				leak.VRF))
		}
		d.lines = append(d.lines, missingLine{inVRF: true, text: "bgp router-id " + id})
	}
	for _, family := range families() {
		for _, source := range leak.Redistribute {
			if !inVRF.has(family, "redistribute "+source) {
				d.lines = append(d.lines, missingLine{inVRF: true, family: family, text: redistribution(source)})
			}
		}
	}
	if usesMap(leak, inVRF) {
		d.maps = missingMapLines(leak.Device, have.ours)
	}
	for _, family := range families() {
		text := "import vrf " + leak.VRF
		if !have.instances[defaultVRF].has(family, text) {
			d.lines = append(d.lines, missingLine{family: family, text: text})
		}
	}
	return d
}

// routerID returns the router id that the VRF's instance must get, and whether it needs none. Left to itself an
// instance takes an address of its VRF, that is one we announce, and changes it when that goes. With bgp_router_id
// the id must be that; without it, one that is written there stays.
func routerID(leak model.Leak, have running) (id string, right bool) {
	const line, none = "bgp router-id", "0.0.0.0"
	written := have.instances[leak.VRF].has("", line)
	state := have.vrfs[leak.VRF].RouterID
	if leak.RouterID.IsValid() {
		id = leak.RouterID.String()
		return id, written && state == id
	}
	if written && state != none && state != "" {
		return state, true
	}
	if id = have.vrfs[defaultVRF].RouterID; id == none {
		id = ""
	}
	return id, false
}

// has tells whether the family holds the line, or one that begins with its words.
func (in instance) has(family, text string) bool {
	return slices.ContainsFunc(in.lines[family], func(line string) bool {
		return line == text || strings.HasPrefix(line, text+" ")
	})
}

// commands returns what adds the lines. The route map comes first: what names one that is not there lets nothing pass.
func (d difference) commands() []string {
	all := d.mapCommands()
	for _, inVRF := range []bool{true, false} {
		all = append(all, d.commandsOf(inVRF)...)
	}
	return all
}

func (d difference) commandsOf(inVRF bool) []string {
	var all []string
	family := ""
	for _, line := range d.lines {
		if line.inVRF != inVRF {
			continue
		}
		if all == nil {
			all = append(all, d.header(inVRF))
		}
		if line.family != family {
			if family != "" {
				all = append(all, "exit-address-family")
			}
			family = line.family
			all = append(all, "address-family "+family)
		}
		all = append(all, line.text)
	}
	if family != "" {
		all = append(all, "exit-address-family")
	}
	if all != nil {
		all = append(all, "exit")
	}
	return all
}

func (d difference) header(inVRF bool) string {
	text := "router bgp " + strconv.FormatUint(uint64(d.as), 10)
	if inVRF {
		text += " vrf " + d.vrf
	}
	return text
}

// String returns "router bgp 64999 vrf bgp-vrf: +redistribute connected (ipv4, ipv6); router bgp 64999: +…".
func (d difference) String() string {
	var parts []string
	if d.maps != nil {
		parts = append(parts, "route-map "+announceMap+": +"+strings.Join(d.maps, " +"))
	}
	for _, inVRF := range []bool{true, false} {
		var texts []string
		for _, line := range d.lines {
			if text := " +" + line.text + d.familiesOf(line); line.inVRF == inVRF && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
		if texts != nil {
			parts = append(parts, d.header(inVRF)+":"+strings.Join(texts, ""))
		}
	}
	if parts == nil {
		parts = []string{d.header(true)} // only an obstacle
	}
	return strings.Join(parts, "; ")
}

// familiesOf returns " (ipv4, ipv6)", the families in which the same line is missing.
func (d difference) familiesOf(line missingLine) string {
	var short []string
	for _, l := range d.lines {
		if l.text == line.text && l.inVRF == line.inVRF && l.family != "" {
			short = append(short, strings.TrimSuffix(l.family, " unicast"))
		}
	}
	if short == nil {
		return ""
	}
	return " (" + strings.Join(short, ", ") + ")"
}
