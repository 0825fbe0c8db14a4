package agent

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// own says what this node has of the database on keys.
func own(in roundInput, keys []string) map[string]model.Decision {
	return byKey(in, desired.Whys(in.Input, in.Config, prefixesOf(keys)...))
}

// evidence asks about keys: first what this node has of the database, and for those it knows nothing of, the whole.
func (n *node) evidence(ctx context.Context, in roundInput, keys []string) (map[string]model.Decision, error) {
	known, err := n.decisions(ctx, in, prefixesOf(keys))
	return byKey(in, known), err
}

// prefixesOf leaves out what is no address of ours; the guard takes what is left out as in no row.
func prefixesOf(keys []string) (prefixes []netip.Prefix) {
	for _, key := range keys {
		_, text, _ := strings.Cut(key, " ")
		if prefix, err := netip.ParsePrefix(text); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

func byKey(in roundInput, decisions map[netip.Prefix]model.Decision) map[string]model.Decision {
	found := map[string]model.Decision{}
	for prefix, d := range decisions {
		found[model.Key(in.Config.VRF, prefix)] = d
	}
	return found
}

// decisions are those of the node's part of the database, and for the addresses without a row in it, of the whole.
//
// The guard asks again and again while keys are held, so a read that is some seconds old answers for those that have
// still no row, or one elsewhere. That an address ought to be announced here is what a read tells that is older than
// the row's end: only a new one is believed.
func (n *node) decisions(ctx context.Context, in roundInput, prefixes []netip.Prefix) (map[netip.Prefix]model.Decision,
	error) {
	found := desired.Whys(in.Input, in.Config, prefixes...)
	var unknown []netip.Prefix
	for _, p := range prefixes {
		if found[p].Verdict == model.Unknown {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) == 0 || n.source.fixed != nil { // what comes from a file is all there is
		return found, nil
	}
	asked := time.Now()
	for _, since := range []time.Time{{}, asked} {
		whole, err := n.ovn.Whole(ctx, since)
		if err != nil {
			return nil, err
		}
		input := in.Input
		input.OVN = whole
		here := false
		for p, d := range desired.Whys(input, in.Config, unknown...) {
			found[p] = d
			here = here || d.Evidence == model.Doubtful ||
				d.Verdict == model.Announced && d.Evidence != model.Explained
		}
		if !here {
			break
		}
	}
	return found, nil
}

// knowing returns what OVN says that has a row with an address: the node's part where it is announced here, else the
// whole database, because the part may lack what the row refers to.
func (n *node) knowing(ctx context.Context, in roundInput, address netip.Addr) (ovn.Snapshot, error) {
	if n.source.fixed != nil || desired.Why(in.Input, in.Config, address).Verdict == model.Announced {
		return in.OVN, nil
	}
	return n.ovn.Whole(ctx, time.Now())
}
