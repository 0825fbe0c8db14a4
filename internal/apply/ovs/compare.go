package ovs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/client/openflow"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// difference is what stands between the flows wanted on a bridge and those there.
type difference struct {
	bridge  string
	write   []wish // to add, or in the place of another flow of ours
	changes bool   // one of these is
	adopt   []wish // the same flow under another of our cookies
	blocked []wish // with the reason
	stale   []openflow.Flow
}

// wish is a wanted flow.
type wish struct {
	model.Flow
	flow   openflow.Flow
	reason error // why it cannot be written
}

// places are the keys of what is wanted: where our flows belong.
func places(want []model.Flow) map[openflow.Key]bool {
	keys := map[openflow.Key]bool{}
	for _, f := range want {
		// Without its port the match would be everybody's.
		if out, _ := translate(f); out.Match.InPort != 0 {
			keys[out.Key()] = true
		}
	}
	return keys
}

// compare is the decision; all else in this package reads and writes. absent is why the bridge has no flows at all.
func compare(bridge string, want []model.Flow, have []openflow.Flow, absent error) difference {
	d := difference{bridge: bridge}
	keys := places(want)
	there := map[openflow.Key]openflow.Flow{}
	for _, f := range have {
		there[f.Key()] = f
	}
	for _, f := range want {
		w := wish{Flow: f}
		w.flow, w.reason = translate(f)
		if absent != nil {
			w.reason = fmt.Errorf("bridge %s cannot be reached: %w", bridge, absent)
		}
		d.sort(w, w.flow.Key(), there)
	}
	for key, f := range there {
		if owned(f) && !keys[key] {
			d.stale = append(d.stale, f)
		}
	}
	slices.SortFunc(d.stale, func(a, b openflow.Flow) int { return strings.Compare(a.String(), b.String()) })
	return d
}

// sort puts a wish where it belongs.
func (d *difference) sort(w wish, key openflow.Key, there map[openflow.Key]openflow.Flow) {
	if w.reason != nil {
		d.blocked = append(d.blocked, w)
		return
	}
	have, found := there[key]
	switch {
	case !found:
		d.write = append(d.write, w)
	case !owned(have):
		w.reason = fmt.Errorf("a flow of another, cookie %#x, is in its place on bridge %s", have.Cookie, d.bridge)
		d.blocked = append(d.blocked, w)
	case have.Equal(w.flow):
	case have.Same(w.flow):
		d.adopt = append(d.adopt, w)
	default:
		d.write, d.changes = append(d.write, w), true
	}
}

// translate says a wanted flow in OpenFlow, or why it cannot be said yet. Where the port is known the match is
// whole, so that what is there for it now is not taken for stale.
func translate(f model.Flow) (openflow.Flow, error) {
	out := openflow.Flow{Priority: f.Priority, Cookie: model.Cookie}
	switch {
	case f.InPort == "":
		return out, fmt.Errorf("no patch port for localnet port %s on bridge %s", f.Localnet, f.Bridge)
	case f.OFPort <= 0:
		return out, fmt.Errorf("patch port %s on bridge %s has no OpenFlow number", f.InPort, f.Bridge)
	}
	switch f.EtherType {
	case model.EtherIPv4:
		out.Match.EthType = openflow.IPv4
	case model.EtherIPv6:
		out.Match.EthType = openflow.IPv6
	default:
		return out, fmt.Errorf("no flow matches ether type %q", f.EtherType)
	}
	out.Match.InPort = uint32(f.OFPort)
	if f.EthDst == "" {
		return out, fmt.Errorf("bridge %s has no MAC yet", f.Bridge)
	}
	mac, err := openflow.ParseMAC(f.EthDst)
	if err != nil {
		return out, err
	}
	out.Actions = []openflow.Action{openflow.SetEthDst(mac), openflow.Output(openflow.PortNormal)}
	return out, nil
}

// steps lists the changes. What is written and what is re-marked are apart, because a re-marking that fails takes
// nothing away.
func (d difference) steps(apply func(context.Context, ...openflow.Change) error) []plan.Step {
	var steps []plan.Step
	if len(d.write) > 0 {
		verb := plan.Create
		if d.changes {
			verb = plan.Update
		}
		steps = append(steps, bundle(verb, d.bridge, d.write, apply))
	}
	if len(d.adopt) > 0 {
		steps = append(steps, bundle(plan.Adopt, d.bridge, d.adopt, apply))
	}
	for _, w := range d.blocked {
		steps = append(steps, plan.Step{Verb: plan.Create, Object: w.String(), Why: w.Why,
			Serves: w.Serves, Do: func(context.Context) error { return w.reason }})
	}
	for _, f := range d.stale {
		// A flow says no address, so nobody can tell what still needs it: it serves all.
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: "flow " + d.bridge + " " + text(f),
			Why: "no localnet port needs it", Serves: nil,
			Do: func(ctx context.Context) error { return apply(ctx, openflow.Remove(f)) }})
	}
	return steps
}

// shown is how many flows a step's text spells out: a bridge with hundreds of localnets shall not fill the log.
const shown = 8

// bundle is the one step that writes all these flows, or none.
func bundle(verb plan.Verb, bridge string, ws []wish, apply func(context.Context, ...openflow.Change) error) plan.Step {
	var changes []openflow.Change
	var texts, whys []string
	serves, all := []string{}, false
	for _, w := range ws {
		changes = append(changes, openflow.Add(w.flow))
		texts = append(texts, text(w.flow))
		whys = append(whys, w.Why)
		serves, all = append(serves, w.Serves...), all || w.Serves == nil
	}
	slices.Sort(serves)
	serves = slices.Compact(serves)
	if all {
		serves = nil
	}
	object := "flow " + bridge + " " + texts[0]
	if len(texts) > 1 {
		object = fmt.Sprintf("%d flows %s %s", len(texts), bridge, strings.Join(texts[:min(len(texts), shown)], "; "))
	}
	if len(texts) > shown {
		object += "; …"
	}
	slices.Sort(whys)
	whys = slices.Compact(whys)
	why := strings.Join(whys[:min(len(whys), shown)], "; ")
	return plan.Step{Verb: verb, Object: object, Why: why, Serves: serves,
		Do: func(ctx context.Context) error { return apply(ctx, changes...) }}
}

// text is a flow without its cookie: "priority=900,ip,in_port=1 actions=mod_dl_dst:02:aa:bb:cc:dd:01,NORMAL".
func text(f openflow.Flow) string {
	_, after, _ := strings.Cut(f.String(), ", ")
	return after
}
