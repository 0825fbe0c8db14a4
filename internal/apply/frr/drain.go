package frr

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// While the node is drained the default instance has drainLine: bgpd then sends everything with the community
// graceful-shutdown, to internal peers with local preference 0 (FRR 8.4: what is leaked with that alone), and resets no
// session. Deployed files have the line for
// good, so one that is there need not be ours: ours has a mark beside it, a route map that nothing uses. Mark and line
// live and die together, also where an operator saves the configuration.
//
// Two more route maps ask of what was sent to a peer how much says so (Draining).
const (
	drainLine        = "bgp graceful-shutdown"
	drainMark        = namePrefix + "graceful-shutdown"
	drainAsk         = namePrefix + "drained"          // a community list, and the route map that matches it
	drainAskInternal = namePrefix + "drained-internal" // the route map for internal peers
)

// drainSteps lists what is to do for the node to be drained, or to be no more. It serves no key: nothing is announced
// or withdrawn by it.
func (a *Applier) drainSteps(want model.Node, have running) []plan.Step {
	a.notePermanent(have)
	object := difference{as: want.Leak.AS}.header(false)
	in, there := have.instances[defaultVRF]
	lines := want.BGP.Drained && there && in.as == want.Leak.AS && !drained(have)
	asks := want.BGP.Drained && !have.ours.asks()
	switch {
	case lines || asks:
		var commands []string
		text := object + ":"
		if asks {
			commands = append(commands, askCommands()...)
			text += " +route-map " + drainAsk
		}
		if lines {
			commands = append(commands, "route-map "+drainMark+" "+onlyEntry, "exit", object, drainLine, "exit")
			text += " +" + drainLine
		}
		return []plan.Step{{Verb: plan.Update, Object: text, Why: "the node is drained", Serves: []string{},
			Do: func(ctx context.Context) error {
				if err := a.bgpd.Configure(ctx, commands); err != nil {
					return fmt.Errorf("drain: %w", err)
				}
				return nil
			}}}
	case want.BGP.Drained:
		return nil
	}
	steps := a.undrain(have)
	for i := range steps {
		// An update: what was drained is told without the community, and nothing goes.
		steps[i].Verb, steps[i].Why, steps[i].Serves = plan.Update, "the node is drained no more", []string{}
	}
	return steps
}

// drained tells whether bgpd shuts down gracefully, whoever said so.
func drained(have running) bool {
	return have.ours.drainAll || slices.Contains(have.instances[defaultVRF].lines[""], drainLine)
}

func askCommands() []string {
	return []string{"bgp community-list standard " + drainAsk + " permit graceful-shutdown",
		"route-map " + drainAsk + " " + onlyEntry, askLine, "exit",
		"route-map " + drainAskInternal + " " + onlyEntry, askLineInternal, "exit"}
}

const (
	askLine         = "match community " + drainAsk
	askLineInternal = "match local-preference 0"
)

// asks tells whether the route maps that ask are whole: one without its line would take everything for told.
func (o objects) asks() bool {
	return o.lists[drainAsk] && slices.Contains(o.maps[drainAsk], askLine) &&
		slices.Contains(o.maps[drainAskInternal], askLineInternal)
}

// undrain returns a step that takes away what draining added, none when nothing is there of it.
func (a *Applier) undrain(have running) []plan.Step {
	var commands, texts []string
	in := have.instances[defaultVRF]
	header := difference{as: in.as}.header(false)
	// Mode Managed drains the VRF's instance, too: its mark is the same.
	for _, name := range []string{a.options.VRF, defaultVRF} {
		of := have.instances[name]
		if have.ours.has(drainMark) && of.as == in.as && slices.Contains(of.lines[""], drainLine) {
			commands = append(commands, difference{as: of.as, vrf: name}.header(name != defaultVRF), "no "+drainLine, "exit")
			texts = append(texts, " -"+drainLine)
		}
	}
	texts = slices.Compact(texts)
	for _, name := range []string{drainMark, drainAsk, drainAskInternal} {
		if have.ours.has(name) {
			commands, texts = append(commands, "no route-map "+name), append(texts, " -route-map "+name)
		}
	}
	if have.ours.lists[drainAsk] {
		commands = append(commands, "no bgp community-list standard "+drainAsk)
	}
	if commands == nil {
		return nil
	}
	return []plan.Step{{Verb: plan.Delete, Object: header + ":" + strings.Join(texts, ""), Why: "cleanup",
		Do: func(ctx context.Context) error {
			if err := a.bgpd.Configure(ctx, commands); err != nil {
				return fmt.Errorf("end the drain: %w", err)
			}
			return nil
		}}}
}

// notePermanent keeps where the operator's own line stands.
func (a *Applier) notePermanent(have running) {
	at := ""
	switch {
	case have.ours.drainAll:
		at = drainLine
	case drained(have) && !have.ours.has(drainMark):
		at = "router bgp " + strconv.FormatUint(uint64(have.instances[defaultVRF].as), 10)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.permanent = at
}

// Remarks are what an operator should know of FRR's own configuration, as it was at the last look.
func (a *Applier) Remarks() []model.Decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.permanent == "" {
		return nil
	}
	return []model.Decision{{Reason: "permanent-graceful-shutdown", Row: "FRR " + a.permanent,
		Text: "FRR has \"" + drainLine + "\" for good: peers prefer every other way to this node's addresses, and a drain changes nothing",
		Fix:  "type \"no " + drainLine + "\" in vtysh where it stands, and take it out of frr.conf"}}
}

// Draining says whether bgpd shuts down gracefully, and of each peer and family how much of what was sent to it says so.
// Peers whose session is down are told when it comes up.
func (a *Applier) Draining(ctx context.Context) (model.Draining, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	have, err := a.read(ctx, a.options.VRF)
	if err != nil {
		return model.Draining{}, err
	}
	if !drained(have) || !have.ours.asks() {
		return model.Draining{}, nil
	}
	peers, err := a.told(ctx)
	return model.Draining{InForce: true, Peers: peers}, err
}

func (a *Applier) told(ctx context.Context) ([]model.Told, error) {
	var summary map[string]familySummary
	if err := a.bgpd.ShowJSON(ctx, "show bgp summary json", &summary); err != nil {
		return nil, fmt.Errorf("read FRR's peers: %w", err)
	}
	var all []model.Told
	for family, name := range map[model.BGPFamily]string{model.IPv4Unicast: "ipv4Unicast", model.IPv6Unicast: "ipv6Unicast"} {
		for peer, state := range summary[name].Peers {
			told := model.Told{Peer: peer, Family: family, Up: state.State == "Established", Queued: state.OutQ > 0}
			ask := drainAsk
			if state.AS == summary[name].AS {
				ask = drainAskInternal
			}
			var sent struct {
				With    int `json:"totalPrefixCounter"`
				Without int `json:"filteredPrefixCounter"`
			}
			command := fmt.Sprintf("show bgp %s neighbors %s advertised-routes route-map %s json", family, peer, ask)
			if told.Up {
				if err := a.bgpd.ShowJSON(ctx, command, &sent); err != nil {
					return nil, fmt.Errorf("read what peer %s was told: %w", peer, err)
				}
			}
			told.Drained, told.Left = sent.With, sent.Without
			all = append(all, told)
		}
	}
	slices.SortFunc(all, model.CompareTold)
	return all, nil
}

// familySummary is one address family of "show bgp summary json".
type familySummary struct {
	AS    uint32 `json:"as"`
	Peers map[string]struct {
		AS    uint32 `json:"remoteAs"`
		State string `json:"state"`
		OutQ  int    `json:"outq"`
	} `json:"peers"`
}
