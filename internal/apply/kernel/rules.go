package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedRule tells whether a rule is ours: by its protocol, or left by the old agent, which leads destinations to a
// bridge's table at the same priority. A rule that looks at anything but the destination is never ours.
func (v *view) ownedRule(r netlink.Rule) bool {
	if r.Extra != "" {
		return false
	}
	return r.Protocol == model.Protocol ||
		r.Priority == model.RulePriority && v.tables[r.Table] && r.Dst.IsValid() && r.Dst.Bits() > 0
}

// ruleKey is what makes two rules do the same. The old agent writes subnets with a host's bits, which the kernel keeps
// and ignores.
type ruleKey struct {
	dst             netip.Prefix // masked; invalid: all
	table, priority uint32
}

func keyOfRule(priority uint32, dst netip.Prefix, table uint32) ruleKey {
	return ruleKey{dst.Masked(), table, priority}
}

func (k ruleKey) String() string {
	to := "all"
	if k.dst.IsValid() {
		to = k.dst.String()
	}
	return fmt.Sprintf("%s %d %d", to, k.table, k.priority)
}

// byText orders keys by their text, which is how plans list objects.
func byText[K fmt.Stringer](a, b K) int { return cmp.Compare(a.String(), b.String()) }

func (c *Carriers) planRules(s *steps, v *view, want model.Node) {
	wanted := make(map[ruleKey]model.Rule, len(want.Rules))
	for _, w := range want.Rules {
		wanted[keyOfRule(model.RulePriority, w.Prefix, w.Table)] = w
	}
	have := make(map[ruleKey][]netlink.Rule, len(want.Rules))
	for i, r := range v.Rules {
		if !v.ownedRule(r) {
			continue
		}
		key := keyOfRule(r.Priority, r.Dst, r.Table)
		if rules := have[key]; rules != nil {
			have[key] = append(rules, r)
		} else {
			have[key] = v.Rules[i : i+1 : i+1] // no copy of the one rule that is usual
		}
	}
	same := func(_ model.Rule, have []netlink.Rule) bool {
		return len(have) == 1 && have[0].Protocol == model.Protocol
	}
	for _, d := range plan.Differences(wanted, have, byText, same) {
		switch {
		case !d.There:
			s.add(plan.Create, d.Want.String(), d.Want.Why, d.Want.Serves, c.addRule(d.Want))
		case !d.Wanted:
			for _, r := range sortedRules(d.Have) {
				c.deleteRule(s, v, r, unwanted)
			}
		default:
			c.keepOneRule(s, v, d.Want, sortedRules(d.Have))
		}
	}
}

// sortedRules puts marked rules first, and of those the one without host bits.
func sortedRules(rs []netlink.Rule) []netlink.Rule {
	return slices.SortedFunc(slices.Values(rs), func(a, b netlink.Rule) int {
		marked := func(r netlink.Rule) int {
			if r.Protocol == model.Protocol {
				return 0
			}
			return 1
		}
		return cmp.Or(marked(a)-marked(b), a.Dst.Addr().Compare(b.Dst.Addr()), int(a.Protocol)-int(b.Protocol))
	})
}

// keepOneRule keeps a marked rule and deletes others that do the same. Where none is marked, it adopts: ours is added
// before the old one goes, since the kernel keeps two rules that differ by protocol.
func (c *Carriers) keepOneRule(s *steps, v *view, w model.Rule, have []netlink.Rule) {
	first, rest := have[0], have[1:]
	if first.Protocol != model.Protocol {
		s.add(plan.Adopt, w.String(), w.Why, w.Serves, func(ctx context.Context) error {
			if err := c.addRule(w)(ctx); err != nil {
				return err
			}
			return c.k.RuleDel(first)
		})
	}
	for _, r := range rest {
		c.deleteRule(s, v, r, "doubled")
	}
}

func (c *Carriers) addRule(w model.Rule) func(context.Context) error {
	dst := w.Prefix.Masked()
	r := netlink.Rule{Family: netlink.FamilyOf(dst.Addr()), Priority: model.RulePriority, Dst: dst, Table: w.Table,
		Protocol: model.Protocol}
	return func(context.Context) error {
		if err := c.k.RuleAdd(r); err != nil && !errors.Is(err, syscall.EEXIST) {
			return err
		}
		return nil
	}
}

func (c *Carriers) deleteRule(s *steps, v *view, r netlink.Rule, why string) {
	object := model.Rule{Prefix: r.Dst, Table: r.Table}.String()
	if r.Priority != model.RulePriority {
		object += fmt.Sprintf(" priority %d", r.Priority)
	}
	if r.Protocol != model.Protocol {
		object += fmt.Sprintf(" proto %d", r.Protocol)
	}
	s.add(plan.Delete, object, why, v.servedBy(r.Dst), func(context.Context) error { return c.k.RuleDel(r) })
}
