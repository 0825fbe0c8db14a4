package frr

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// FRR 10 may forget a leak when the kernel's VRF is deleted and made again: every line is there, and no address
// arrives in the default instance (FRR issue 21301), or none is valid there; or bgpd never learns of the new VRF
// (issue 21850). So the leak is judged by what it does to some of the announced addresses. Making the VRF's instance
// anew brings it back; one that holds an operator's line is made anew by the operator alone, because a bgpd that ends
// in the middle would have lost that line for good.

// effect is what the leak does.
type effect struct {
	unbound bool     // the kernel's VRF is there, and bgpd's instance is not tied to it
	broken  []string // families of which addresses are in the VRF's table and do not arrive
	working bool     // addresses of some family do arrive
}

func (e effect) good() bool { return !e.unbound && len(e.broken) == 0 }

// whole tells that the VRF's instance is at fault, not only the import of a family.
func (e effect) whole() bool { return e.unbound || !e.working }

// String returns "no address of ipv4 unicast reaches the default instance".
func (e effect) String() string {
	if e.unbound {
		return "bgpd does not know the kernel's VRF"
	}
	return "no address of " + strings.Join(e.broken, " and ") + " reaches the default instance"
}

// fault is an effect that fails to come, over time.
type fault struct {
	since   time.Time // when it was first seen; zero: all is well
	mended  int       // times it was mended since
	notTill time.Time // not to be mended again before
}

// A leak takes a moment to come: bgpd leaks in the background, some milliseconds for a thousand addresses. Mending
// anew waits longer each time: it must not become a flap of its own.
const (
	moment       = time.Second
	firstBackoff = 10 * time.Second
	lastBackoff  = 10 * time.Minute
)

// judge takes an effect in and tells whether it has been missing for longer than a moment.
func (a *Applier) judge(e effect) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	switch {
	case e.good():
		a.fault = fault{}
	case a.fault.since.IsZero():
		a.fault.since = now
	}
	return !e.good() && now.Sub(a.fault.since) >= moment
}

// effect asks after some announced addresses of each family.
func (a *Applier) effect(ctx context.Context, want model.Node, have running) (effect, error) {
	var e effect
	if have.vrfs[want.Leak.VRF].VRFID < 0 && a.kernelHas(ctx, want.Leak.VRF) {
		e.unbound = true
		return e, nil
	}
	for i, family := range families() {
		if filtered(have, want.Leak.VRF, family) {
			continue
		}
		arrived, absent, err := a.arrive(ctx, want.Leak.VRF, family, sample(want, model.Family(4+2*i)))
		if err != nil {
			return effect{}, err
		}
		switch {
		case arrived > 0:
			e.working = true
		case absent > 0:
			e.broken = append(e.broken, family)
		}
	}
	return e, nil
}

// filtered tells that the operator lets only some addresses through: that one does not arrive proves nothing then.
func filtered(have running, vrf, family string) bool {
	return have.instances[defaultVRF].has(family, "import vrf route-map") ||
		have.instances[vrf].has(family, "route-map vpn")
}

// sample returns the first and the last announced address of a family.
func sample(want model.Node, family model.Family) []netip.Prefix {
	var all []netip.Prefix
	for _, announced := range want.Announcements {
		if announced.VRF == want.Leak.VRF && model.FamilyOf(announced.Prefix.Addr()) == family {
			all = append(all, announced.Prefix)
		}
	}
	if len(all) > 2 {
		all = []netip.Prefix{all[0], all[len(all)-1]}
	}
	return all
}

// arrive counts the prefixes that have come into the default table, and those that have not, or in vain, though they are
// in the VRF's. What is not in the VRF's table is not in the kernel yet, and says nothing about the leak.
func (a *Applier) arrive(ctx context.Context, vrf, family string, prefixes []netip.Prefix) (arrived, absent int, err error) {
	for _, prefix := range prefixes {
		inDefault, err := a.paths(ctx, "show bgp "+family+" "+prefix.String()+" json")
		if err != nil {
			return 0, 0, err
		}
		if slices.ContainsFunc(inDefault, func(p path) bool { return p.NextHopVRF == vrf && p.Valid }) {
			arrived++
			continue
		}
		inVRF, err := a.paths(ctx, "show bgp vrf "+vrf+" "+family+" "+prefix.String()+" json")
		if err != nil {
			return 0, 0, err
		}
		if len(inVRF) > 0 {
			absent++
		}
	}
	return arrived, absent, nil
}

// path is one path of a prefix. A leaked one names the VRF it came from. From FRR 10.4 on one that was leaked while the
// VRF's device was down is not valid, and may stay so when the device comes up: nobody is told of it.
type path struct {
	NextHopVRF string `json:"nhVrfName"`
	Valid      bool   `json:"valid"`
}

func (a *Applier) paths(ctx context.Context, command string) ([]path, error) {
	var answer struct {
		Paths []path `json:"paths"`
	}
	if err := a.bgpd.ShowJSON(ctx, command, &answer); err != nil {
		return nil, fmt.Errorf("read FRR's table: %w", err)
	}
	return answer.Paths, nil
}

// kernelHas tells whether zebra knows the VRF as one of the kernel's. That zebra does not answer is no proof.
func (a *Applier) kernelHas(ctx context.Context, vrf string) bool {
	text, err := a.zebra.Show(ctx, "show vrf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 3 && words[0] == "vrf" && words[1] == vrf && words[2] == "id" {
			return true
		}
	}
	return false
}

func (a *Applier) mending(want model.Node, have running, e effect) plan.Step {
	step := plan.Step{Verb: plan.Update, Object: e.mended(want.Leak), Why: e.why(),
		Do: func(ctx context.Context) error { return a.mend(ctx, want) }}
	if e.whole() && foreign(want.Leak, have) != "" {
		step.Object = difference{as: want.Leak.AS, vrf: want.Leak.VRF}.header(true) + ": to be made anew by hand"
	}
	return step
}

// mended says what mending makes anew.
func (e effect) mended(leak model.Leak) string {
	names := difference{as: leak.AS, vrf: leak.VRF}
	if e.whole() {
		return names.header(true) + ": made anew"
	}
	return names.header(false) + ": import vrf " + leak.VRF + " (" + strings.Join(e.broken, ", ") + ") made anew"
}

func (e effect) why() string { return "the leak is configured and has no effect: " + e.String() }

// mend takes the import away and adds it again where only a family is broken, so that the other one does not flap;
// else it makes the VRF's instance anew, if that holds nothing but what we would add to none.
func (a *Applier) mend(ctx context.Context, want model.Node) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return err
	}
	if missing := compare(want.Leak, have); len(missing.lines) > 0 {
		return fmt.Errorf("FRR has lost %s since; that is added first", missing)
	}
	e, err := a.effect(ctx, want, have)
	if err != nil || e.good() {
		return err
	}
	if line := foreign(want.Leak, have); line != "" && e.whole() {
		again := difference{as: want.Leak.AS, vrf: want.Leak.VRF}.header(true)
		return fmt.Errorf("the instance holds %q, which is not ours, so it is not made anew from here: keep what `show running-config` "+
			"says of %q, type in vtysh's configuration `no %s`, then what you kept", line, again, again)
	}
	if err := a.mayMend(e); err != nil {
		return err
	}
	lines := reimporting(want.Leak, e)
	if e.whole() {
		lines = remaking(want.Leak, have)
	}
	if err := a.bgpd.Configure(ctx, lines); err != nil {
		return fmt.Errorf("make the leak of VRF %s anew: %w", want.Leak.VRF, err)
	}
	return nil
}

// blank returns what the leak would add if the VRF had no instance.
func blank(leak model.Leak, have running) difference {
	none := running{instances: maps.Clone(have.instances), vrfs: maps.Clone(have.vrfs), ours: have.ours}
	delete(none.instances, leak.VRF)
	delete(none.vrfs, leak.VRF)
	return compare(leak, none)
}

// foreign returns a line of the VRF's instance that we would not write if there were no instance, "" if it has none.
// Only its first two words: behind them a password may stand.
func foreign(leak model.Leak, have running) string {
	in, ok := have.instances[leak.VRF]
	if !ok {
		return ""
	}
	if len(strings.Fields(in.head)) > 5 { // "router bgp AS vrf NAME", and then somebody's words
		return in.head
	}
	ours := blank(leak, have)
	bare := missingLine{inVRF: true, text: redistribution("kernel")} // also without the route map, from an earlier version
	for family, lines := range in.lines {
		for _, line := range lines {
			bare.family = family
			if line == "redistribute kernel" && slices.Contains(ours.lines, bare) {
				continue
			}
			if !slices.Contains(ours.lines, missingLine{inVRF: true, family: family, text: line}) {
				words := strings.Fields(line)
				return strings.Join(words[:min(2, len(words))], " ") + " …"
			}
		}
	}
	return ""
}

// remaking returns the commands that make the VRF's instance anew. Cut short anywhere, what is left to add is what
// the next round finds missing.
func remaking(leak model.Leak, have running) []string {
	again := blank(leak, have)
	return append([]string{"no " + again.header(true)}, again.commands()...)
}

// reimporting returns the commands that make the broken imports anew.
func reimporting(leak model.Leak, e effect) []string {
	lines := []string{difference{as: leak.AS}.header(false)}
	for _, family := range e.broken {
		lines = append(lines, "address-family "+family, "no import vrf "+leak.VRF, "import vrf "+leak.VRF,
			"exit-address-family")
	}
	return append(lines, "exit")
}

// mayMend counts a mending, or says why it is too early for another.
func (a *Applier) mayMend(e effect) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Before(a.fault.notTill) {
		return fmt.Errorf("%s, though it was made anew %s; tried again at %s", e, times(a.fault.mended),
			a.fault.notTill.Format(time.TimeOnly))
	}
	wait := lastBackoff
	if a.fault.mended < 6 {
		wait = min(firstBackoff<<a.fault.mended, lastBackoff)
	}
	a.fault.mended++
	a.fault.since = now // it gets its moment again
	a.fault.notTill = now.Add(wait)
	return nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
