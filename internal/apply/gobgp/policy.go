package gobgp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// GoBGP has one list of policies for all that comes in and one for all that goes out. Each neighbour has a policy of its
// own in either; what none lets pass is refused. A policy is known by its name, which has a digest of all that is in
// it: so what GoBGP lists by name tells what it does.

// localPolicy lets our own paths into the speaker. GoBGP asks the policies of what comes in about them, too.
const localPolicy = "ovnbgp local"

// policy is a neighbour's policy in one direction.
type policy struct {
	name    string
	peer    string
	address netip.Addr
	out     bool
	sets    []*api.DefinedSet
	policy  *api.Policy
}

func (a *Applier) planPolicies(s *steps, b model.BGP, have map[string]speaker.Session) {
	want, err := a.policies(b, have)
	stale, unread := a.stalePolicies(want)
	if err = errors.Join(err, unread); err == nil && stale == nil {
		return
	}
	s.add(plan.Step{Verb: plan.Update, Object: "filters of peers", Why: "what passes has changed", Serves: []string{},
		Do: func(ctx context.Context) error {
			if unread != nil || stale == nil {
				return err
			}
			return errors.Join(err, a.setPolicies(ctx, want))
		}})
}

// policies makes the policies of the neighbours that are there, by name. Where the next hop of IPv6 paths is not found, a
// neighbour keeps those that are in force, and one that has none, or never had that next hop, is told all but IPv6. The
// error is of that neighbour alone.
func (a *Applier) policies(b model.BGP, have map[string]speaker.Session) (map[string]policy, error) {
	list, hops := map[string]policy{}, &nextHops{}
	var errs []error
	for _, p := range b.Peers {
		session, there := have[p.Name]
		if !there {
			continue
		}
		next, err := hops.of(p, session.Address)
		if err != nil {
			errs = append(errs, err)
			kept, unread := a.keptPolicies(p.Name)
			errs = append(errs, unread)
			if unread != nil || kept != nil || !errors.Is(err, errNoNextHop) {
				maps.Copy(list, kept)
				continue
			}
		}
		for _, out := range []bool{false, true} {
			made := makePolicy(p, session.Address, out, next, errors.Is(err, errNoNextHop))
			list[made.name] = made
		}
	}
	return list, errors.Join(errs...)
}

// keptPolicies are a neighbour's policies in force that tell it all; nil: there are none. They are there already: what they do
// is not told.
func (a *Applier) keptPolicies(peer string) (map[string]policy, error) {
	b, _, err := a.speaker.Server()
	if err != nil {
		return nil, err
	}
	force, err := inForce(b)
	var kept map[string]policy
	limited := false
	for name := range force {
		for _, out := range []bool{false, true} {
			// A name may hold spaces, and one neighbour's may begin another's: the digest is without.
			digest, ours := strings.CutPrefix(name, policyName(peer, out, ""))
			if !ours || strings.Contains(digest, " ") {
				continue
			}
			if kept == nil {
				kept = map[string]policy{}
			}
			kept[name] = policy{name: name, peer: peer, out: out}
			limited = limited || strings.HasPrefix(digest, withoutIPv6)
		}
	}
	if limited {
		return nil, err
	}
	return kept, err
}

// policyName names a neighbour's policy in one direction.
func policyName(peer string, out bool, digest string) string {
	return fmt.Sprintf("ovnbgp %s %s %s", peer, map[bool]string{false: "in", true: "out"}[out], digest)
}

// withoutIPv6 begins the digest of a policy that tells no IPv6 prefixes.
const withoutIPv6 = "no-ipv6-"

// makePolicy makes a neighbour's policy in one direction. IPv6 paths get the next hop, where one is given; limited, it tells
// none. The family is spoken all the same: the session need not begin anew when there is a next hop.
func makePolicy(p model.Peer, address netip.Addr, out bool, next netip.Addr, limited bool) policy {
	content, _ := json.Marshal([]any{address, out, next, p.Families}) // plain values: it cannot fail
	digest := sha256.Sum256(content)
	made := policy{peer: p.Name, address: address, out: out}
	suffix := hex.EncodeToString(digest[:6])
	if limited && out {
		suffix = withoutIPv6 + suffix
	}
	made.name = policyName(p.Name, out, suffix)
	made.policy = &api.Policy{Name: made.name}
	neighbor := &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR, Name: made.name + " neighbor",
		List: []string{fmt.Sprintf("%s/%d", address.WithZone(""), address.BitLen())}}
	made.sets = append(made.sets, neighbor)
	for _, f := range p.Families {
		filter := f.In
		if out {
			filter = f.Out
		}
		if out && limited && f.Family == model.IPv6Unicast {
			continue
		}
		made.family(f, filter, neighbor.Name, next)
	}
	return made
}

// family adds the statements of one address family.
func (m *policy) family(f model.PeerFamily, filter model.Filter, neighbor string, next netip.Addr) {
	add := func(c *api.Conditions, own bool) {
		c.NeighborSet = &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: neighbor}
		c.AfiSafiIn = []*api.Family{familyOf(f.Family)}
		actions := actionsOf(filter.Attributes)
		actions.RouteAction = api.RouteAction_ROUTE_ACTION_ACCEPT
		switch {
		case m.out && !own && f.NextHopSelf:
			actions.Nexthop = &api.NexthopAction{Self: true}
		case m.out && !own && f.Family == model.EVPN:
			actions.Nexthop = &api.NexthopAction{Unchanged: true} // of another node's tunnel, not of this session
		}
		if m.out && own && f.Family == model.IPv6Unicast && next.IsValid() {
			actions.Nexthop = &api.NexthopAction{Address: next.String()}
		}
		m.policy.Statements = append(m.policy.Statements, &api.Statement{
			Name: m.name + " " + strconv.Itoa(len(m.policy.Statements)), Conditions: c, Actions: actions})
	}
	if m.out && (filter.Own || filter.All) {
		add(&api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL}, true)
	}
	if filter.All {
		add(&api.Conditions{}, false)
		return
	}
	if prefixes := prefixesOf(f.Family, filter); prefixes != nil {
		set := &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_PREFIX, Name: m.name + " " + string(f.Family), Prefixes: prefixes}
		m.sets = append(m.sets, set)
		add(&api.Conditions{PrefixSet: &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: set.Name}}, false)
	}
}

func prefixesOf(family model.BGPFamily, f model.Filter) (list []*api.Prefix) {
	all := map[model.BGPFamily]string{model.IPv4Unicast: "0.0.0.0/0", model.IPv6Unicast: "::/0"}[family]
	if f.Default && all != "" {
		list = append(list, &api.Prefix{IpPrefix: all})
	}
	for _, p := range f.Prefixes {
		if p.Prefix.Addr().Is4() == (family == model.IPv4Unicast) {
			list = append(list, &api.Prefix{IpPrefix: p.Prefix.String(),
				MaskLengthMin: uint32(max(p.GE, p.Prefix.Bits())), MaskLengthMax: uint32(max(p.LE, p.Prefix.Bits()))})
		}
	}
	return list
}

func actionsOf(a model.Attributes) *api.Actions {
	actions := &api.Actions{}
	if a.Communities != nil {
		actions.Community = &api.CommunityAction{Type: api.CommunityAction_TYPE_ADD, Communities: texts(a.Communities)}
	}
	if a.LargeCommunities != nil {
		actions.LargeCommunity = &api.CommunityAction{Type: api.CommunityAction_TYPE_ADD, Communities: texts(a.LargeCommunities)}
	}
	if a.LocalPreference != nil {
		actions.LocalPref = &api.LocalPrefAction{Value: *a.LocalPreference}
	}
	return actions
}

func texts[T fmt.Stringer](values []T) (list []string) {
	for _, v := range values {
		list = append(list, v.String())
	}
	return list
}

// stalePolicies lists the names of the policies in force that are not wanted, and of those wanted that are not in force.
func (a *Applier) stalePolicies(want map[string]policy) ([]string, error) {
	b, _, err := a.speaker.Server()
	if err != nil {
		return nil, err
	}
	force, err := inForce(b)
	if err != nil {
		return nil, err
	}
	var stale []string
	for name := range force {
		if _, ok := want[name]; !ok {
			stale = append(stale, name)
		}
	}
	for name := range want {
		if !force[name] {
			stale = append(stale, name)
		}
	}
	slices.Sort(stale)
	return stale, nil
}

// inForce lists the names of the neighbours' policies that GoBGP applies.
func inForce(b *server.BgpServer) (map[string]bool, error) {
	names := map[string]bool{}
	err := b.ListPolicyAssignment(context.Background(), &api.ListPolicyAssignmentRequest{Name: globalTable},
		func(p *api.PolicyAssignment) {
			for _, x := range p.Policies {
				names[x.Name] = true
			}
		})
	if err != nil {
		return nil, fmt.Errorf("read the speaker's policies: %w", err)
	}
	delete(names, localPolicy)
	return names, nil
}

// globalTable is GoBGP's name of the table that policies are assigned to.
const globalTable = "global"

// setPolicies puts policies in force, all at once, and has what was told and taken before follow them, with the
// neighbours that are concerned. No session is touched.
func (a *Applier) setPolicies(ctx context.Context, want map[string]policy) error {
	var force map[string]bool
	err := a.speaker.Write(func(b *server.BgpServer) (err error) {
		if force, err = inForce(b); err != nil {
			return err
		}
		var in, out []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			p := want[name]
			if !force[name] {
				if err := addPolicy(ctx, b, p); err != nil {
					return err
				}
			}
			if p.out {
				out = append(out, name)
			} else {
				in = append(in, name)
			}
		}
		if err := assign(ctx, b, in, out); err != nil {
			return err
		}
		return cleanPolicies(ctx, b, want)
	})
	if err != nil {
		return err
	}
	return a.follow(ctx, want, force)
}

func addPolicy(ctx context.Context, b *server.BgpServer, p policy) error {
	for _, set := range p.sets {
		if err := b.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: set, Replace: true}); err != nil {
			return fmt.Errorf("policy %s: %w", p.name, err)
		}
	}
	if err := b.AddPolicy(ctx, &api.AddPolicyRequest{Policy: p.policy}); err != nil {
		return fmt.Errorf("policy %s: %w", p.name, err)
	}
	return nil
}

// assign puts the policies of these names in force, and refuses what they do not let pass.
func assign(ctx context.Context, b *server.BgpServer, in, out []string) error {
	local := &api.Policy{Name: localPolicy, Statements: []*api.Statement{{Name: localPolicy,
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT}}}}
	there := false
	if err := b.ListPolicy(ctx, &api.ListPolicyRequest{}, func(p *api.Policy) { there = there || p.Name == localPolicy }); err != nil {
		return err
	}
	if !there {
		if err := b.AddPolicy(ctx, &api.AddPolicyRequest{Policy: local}); err != nil {
			return err
		}
	}
	for direction, names := range map[api.PolicyDirection][]string{
		api.PolicyDirection_POLICY_DIRECTION_IMPORT: append([]string{localPolicy}, in...),
		api.PolicyDirection_POLICY_DIRECTION_EXPORT: out,
	} {
		list := make([]*api.Policy, len(names))
		for i, name := range names {
			list[i] = &api.Policy{Name: name}
		}
		err := b.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{Name: globalTable,
			Direction: direction, Policies: list, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT}})
		if err != nil {
			return fmt.Errorf("assign policies: %w", err)
		}
	}
	return nil
}

// cleanPolicies deletes the policies that are not wanted, and what they matched by.
func cleanPolicies(ctx context.Context, b *server.BgpServer, want map[string]policy) error {
	var old []string
	err := b.ListPolicy(ctx, &api.ListPolicyRequest{}, func(p *api.Policy) {
		if _, ok := want[p.Name]; !ok && p.Name != localPolicy {
			old = append(old, p.Name)
		}
	})
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := b.DeletePolicy(ctx, &api.DeletePolicyRequest{Policy: &api.Policy{Name: name}, All: true}); err != nil {
			return fmt.Errorf("delete policy %s: %w", name, err)
		}
		for _, kind := range []api.DefinedType{api.DefinedType_DEFINED_TYPE_NEIGHBOR, api.DefinedType_DEFINED_TYPE_PREFIX} {
			var sets []*api.DefinedSet
			err := b.ListDefinedSet(ctx, &api.ListDefinedSetRequest{DefinedType: kind}, func(s *api.DefinedSet) {
				if strings.HasPrefix(s.Name, name+" ") {
					sets = append(sets, &api.DefinedSet{DefinedType: kind, Name: s.Name})
				}
			})
			if err != nil {
				return err
			}
			for _, set := range sets {
				if err := b.DeleteDefinedSet(ctx, &api.DeleteDefinedSetRequest{DefinedSet: set, All: true}); err != nil {
					return fmt.Errorf("delete set %s: %w", set.Name, err)
				}
			}
		}
	}
	return nil
}

// follow has what was exchanged with neighbours follow the policies that are new to them.
func (a *Applier) follow(ctx context.Context, want map[string]policy, before map[string]bool) error {
	b, _, err := a.speaker.Server()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	err = b.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) { there[p.GetState().GetNeighborAddress()] = true })
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		p := want[name]
		if before[name] || !there[p.address.String()] {
			continue
		}
		direction := api.ResetPeerRequest_DIRECTION_IN
		if p.out {
			direction = api.ResetPeerRequest_DIRECTION_OUT
		}
		if err := b.ResetPeer(ctx, &api.ResetPeerRequest{Address: p.address.String(), Soft: true, Direction: direction}); err != nil {
			return fmt.Errorf("peer %s: %w", p.peer, err)
		}
	}
	return nil
}
