package file

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// speech is what [bgp] says of the node's BGP, before it is known to fit together.
type speech struct {
	model.BGP
	timers     times
	bfd        string
	rawFile    string
	attributes model.Attributes
}

// profiles that are there without being written, by name.
func standardProfiles() map[string]model.BFDProfile {
	profiles := map[string]model.BFDProfile{}
	for name, p := range map[string]struct{ ms, multiplier int }{"normal": {300, 3}, "fast": {100, 3}, "slow": {500, 10}} {
		interval := time.Duration(p.ms) * time.Millisecond
		profiles[name] = model.BFDProfile{Name: name, Multiplier: p.multiplier, Transmit: interval, Receive: interval}
	}
	return profiles
}

func builtInProfiles() []string { return slices.Sorted(maps.Keys(standardProfiles())) }

// speech puts together what [bgp] and the named groups say, and looks whether it fits.
func (l *loader) speech(node *config.Node, b *speech, n named) {
	l.doubled("as", "bgp_AS")
	l.doubled("router_id", "bgp_router_id")
	l.checkAttributes("bgp", &b.attributes)
	node.BGP.Attributes = b.attributes
	for _, kind := range slices.Sorted(maps.Keys(n.kinds)) {
		a := &n.kinds[kind].attributes
		l.checkAttributes("bgp_kind:"+string(kind), a)
		if node.BGP.ByKind == nil {
			node.BGP.ByKind = map[model.Kind]model.Attributes{}
		}
		node.BGP.ByKind[kind] = *a
	}
	l.checkTimers("bgp", &b.timers)
	l.checkLoopbacks(b)
	known := standardProfiles()
	for name, p := range n.profiles {
		known[name] = p.BFDProfile
	}
	if b.bfd == "" || b.bfd == noProfile {
		b.bfd = noProfile
	} else if _, ok := known[b.bfd]; !ok {
		l.wrong("bgp", "bfd", unknownProfile(known))
	}
	instance := b.BGP
	instance.AS, instance.RouterID = node.AS, node.RouterID
	if instance.Raw = l.rawLines("bgp", "frr_raw_file", b.rawFile); instance.Raw != nil {
		instance.RawFile = b.rawFile
	}
	instance.Peers = l.peers(node, b, n, known)
	instance.Profiles = inUse(instance.Peers, known)
	node.BGP.Instance = instance
	l.checkSpeaker(node, b)
}

// doubled refuses two values for one thing in one file. Of two files the later counts, as of any option.
func (l *loader) doubled(own, old string) {
	for _, entries := range l.byFile {
		ours, theirs := lastOf(entries, spelling{"bgp", own}), lastOf(entries, spelling{"DEFAULT", old})
		if ours != nil && theirs != nil && ours.value != theirs.value {
			l.problems = append(l.problems, Problem{File: ours.File, Line: ours.Line, Option: spelling{"bgp", own}.String(),
				Value: ours.value, Text: "is not what line " + decimal(theirs.Line) + " says, [DEFAULT] " + old + " = " +
					quote(theirs.value) + "; both mean the same, so write one of them"})
		}
	}
}

func lastOf(entries []entry, s spelling) *entry {
	for i := range slices.Backward(entries) {
		if entries[i].group == s.Group && entries[i].name == s.Name {
			return &entries[i]
		}
	}
	return nil
}

// wrong reports an option whose value does not fit to others: at its last line or, when it is not written, at the
// group's. Of a value that is none nothing more is said.
func (l *loader) wrong(groupName, option, text string) {
	s := spelling{groupName, option}
	if l.misread[s] {
		return
	}
	if e, ok := l.last(s); ok {
		l.problems = append(l.problems, Problem{File: e.File, Line: e.Line, Option: s.String(), Value: e.value, Text: text})
		return
	}
	p := Problem{File: "(default)", Option: s.String(), Text: text}
	if at := l.opened[groupName]; len(at) > 0 {
		p.File, p.Line = at[len(at)-1].File, at[len(at)-1].Line
	}
	l.problems = append(l.problems, p)
}

// at names the line at which an option is written: "1.conf:4".
func (l *loader) at(groupName, option string) string {
	e, ok := l.last(spelling{groupName, option})
	if !ok {
		return "default"
	}
	return e.File + ":" + decimal(e.Line)
}

// written tells whether an option stands in some file, with any value.
func (l *loader) written(groupName, option string) bool {
	_, ok := l.last(spelling{groupName, option})
	return ok
}

func (l *loader) checkAttributes(groupName string, a *model.Attributes) {
	sortAttributes(a)
	if slices.Contains(a.Communities, model.GracefulShutdown) {
		l.wrong(groupName, "communities", "has 65535:0, graceful-shutdown, which asks the whole fabric to avoid this node for "+
			"ever; leave it away, and use `ovnbgp drain` when traffic is to go elsewhere")
	}
}

func sortAttributes(a *model.Attributes) {
	slices.Sort(a.Communities)
	a.Communities = slices.Compact(a.Communities)
	slices.SortFunc(a.LargeCommunities, config.CompareLarge)
	a.LargeCommunities = slices.Compact(a.LargeCommunities)
}

func (l *loader) checkTimers(groupName string, t *times) {
	if t.keepalive > 0 && t.hold > 0 && t.hold < 3*t.keepalive {
		option, other := "hold", "keepalive"
		if !l.written(groupName, option) {
			option, other = other, option
		}
		l.wrong(groupName, option, "one lost keepalive would end the session: hold must be at least three times keepalive ("+
			other+": "+l.at(groupName, other)+")")
	}
}

func (l *loader) checkLoopbacks(b *speech) {
	slices.SortFunc(b.Loopbacks, netip.Addr.Compare)
	for i, a := range b.Loopbacks {
		switch {
		case !isHostAddress(a) || a.IsLinkLocalUnicast():
			l.wrong("bgp", "loopbacks", a.String()+" cannot be reached from elsewhere: use a global or private unicast address")
		case i > 0 && model.FamilyOf(a) == model.FamilyOf(b.Loopbacks[i-1]):
			l.wrong("bgp", "loopbacks", "has two addresses of one family, "+b.Loopbacks[i-1].String()+" and "+a.String()+
				": what is sent has one source; keep one")
		}
	}
}

// isHostAddress tells whether somebody else can have, or reach, the address.
func isHostAddress(a netip.Addr) bool { return !a.IsLoopback() && !a.IsMulticast() && !a.Is4In6() }

// inUse returns the profiles that neighbours name, sorted.
func inUse(peers []model.Peer, known map[string]model.BFDProfile) []model.BFDProfile {
	names := map[string]bool{}
	for _, p := range peers {
		names[p.BFD] = true
	}
	var used []model.BFDProfile
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if p, ok := known[name]; ok {
			used = append(used, p)
		}
	}
	return used
}

func unknownProfile(known map[string]model.BFDProfile) string {
	text := "there is no such BFD profile; there are "
	for _, name := range slices.Sorted(maps.Keys(known)) {
		text += name + ", "
	}
	return text + "and none. Another is made by a group [bgp_bfd:NAME]"
}

// checkSpeaker asks whether who speaks can do what is said, and takes the instance away where nothing asks for one.
func (l *loader) checkSpeaker(node *config.Node, b *speech) {
	c := &node.BGP
	peers := len(c.Instance.Peers) > 0 || len(l.groupsOf("bgp_peer")) > 0
	embedded := c.Speaker == config.SpeakerEmbedded
	maybeEmbedded := embedded || c.Speaker == config.SpeakerAuto && peers && c.Mode == config.ModeAssist
	if !c.Instance.RouterID.IsValid() && len(b.Loopbacks) > 0 && b.Loopbacks[0].Is4() {
		c.Instance.RouterID = b.Loopbacks[0]
	}
	switch {
	case embedded && c.Mode != config.ModeAssist:
		l.wrong("bgp", "frr_mode", "the embedded speaker ("+l.at("bgp", "speaker")+") has no FRR to configure: leave frr_mode "+
			"away, or set speaker = frr")
	case embedded && !peers:
		l.warn("bgp", "speaker", "no [bgp_peer:NAME] group: the embedded speaker tells nobody")
	case c.Mode == config.ModeManaged && !peers && b.rawFile == "":
		l.wrong("bgp", "frr_mode", "without a [bgp_peer:NAME] group FRR's own neighbours would be taken away, and nobody told: "+
			"name the neighbours, or try frr_mode = observe")
	case c.Mode == config.ModeAssist && !embedded && (peers || b.rawFile != ""):
		l.ignored(c.Speaker)
	}
	if embedded {
		l.embeddedLimits(*c)
	}
	if !c.Configured() && !peers {
		c.Instance = model.BGP{}
	}
	if !c.Instance.RouterID.IsValid() && (c.Configured() || maybeEmbedded) {
		l.wrong("bgp", "router_id", "no router id: set it ([DEFAULT] bgp_router_id is the same), or an IPv4 address in loopbacks")
	}
	if !c.Instance.RouterID.IsValid() {
		c.Instance = model.BGP{}
	}
}

// ignored warns of what only means something where BGP is ours.
func (l *loader) ignored(speaker config.Speaker) {
	text := "is ignored: FRR's configuration is the operator's (frr_mode = assist); set frr_mode = managed, or speaker = embedded"
	if speaker == config.SpeakerAuto {
		text = "is ignored where FRR runs: its configuration is the operator's (frr_mode = assist); set frr_mode = managed, or " +
			"speaker = embedded"
	}
	for _, name := range l.groupsOf("bgp_peer") {
		l.warnings = append(l.warnings, l.ofGroup(name, text))
	}
	if e, ok := l.last(spelling{"bgp", "frr_raw_file"}); ok && e.value != "" {
		l.warn("bgp", "frr_raw_file", "is ignored: FRR's configuration is the operator's (frr_mode = assist); set frr_mode = managed")
	}
}

func (l *loader) embeddedLimits(c config.BGP) {
	for _, limit := range c.EmbeddedLimits() {
		groupName := "bgp"
		if limit.Peer != "" {
			groupName = "bgp_peer:" + limit.Peer
		}
		l.wrong(groupName, limit.Option, limit.Text)
	}
	for _, doubt := range c.EmbeddedDoubts() {
		l.warn("bgp_peer:"+doubt.Peer, doubt.Option, doubt.Text)
	}
}

// warn is wrong for what keeps nobody from starting.
func (l *loader) warn(groupName, option, text string) {
	before := len(l.problems)
	l.wrong(groupName, option, text)
	l.warnings = append(l.warnings, l.problems[before:]...)
	l.problems = l.problems[:before]
}

// groupsOf lists the named groups of a family that are open, by name.
func (l *loader) groupsOf(of string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.opened)) {
		if f, _, isNamed := family(name); isNamed && f == of {
			names = append(names, name)
		}
	}
	return names
}
