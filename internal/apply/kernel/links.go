package kernel

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedLink tells whether a link is ours to delete: it bears our alias, or it is a VLAN device under the name we
// would give it, on a mapped bridge, with an address that only we and the old agent put there.
func (v *view) ownedLink(l netlink.Link) bool {
	if l.Alias == alias {
		return true
	}
	if l.Kind != "vlan" || !v.bridges[l.Parent] || l.Name != model.VLANDevice(v.names[l.Parent], l.VLAN) {
		return false
	}
	return slices.ContainsFunc(v.Addrs, func(a netlink.Addr) bool { return a.LinkIndex == l.Index && v.ownedAddr(a) })
}

func (c *Carriers) planLinks(s *steps, v *view, want model.Node) {
	wanted := map[string]bool{}
	for _, w := range want.Links {
		wanted[w.Name] = true
		c.planLink(s, v, w)
	}
	links := slices.SortedFunc(slices.Values(v.Links), func(a, b netlink.Link) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range links {
		if l.Kind == "vlan" && !wanted[l.Name] && v.ownedLink(l) {
			c.deleteLink(s, v, l, unwanted)
		}
	}
}

// planLink plans one wanted link.
func (c *Carriers) planLink(s *steps, v *view, w model.Link) {
	have, there := v.byName[w.Name]
	object := w.String()
	switch {
	case w.Kind == model.LinkExisting && !there:
		// It may be there when the step runs.
		s.add(plan.Update, "link "+w.Name+" up", w.Why, w.Serves, c.setUp(w.Name))
		return
	case w.Kind == model.LinkExisting:
	case !there:
		s.add(plan.Create, object, w.Why, w.Serves, c.create(w))
		return
	case have.Kind != string(w.Kind):
		v.unfit[w.Name] = fmt.Sprintf("a device of that name and kind %q is in the way", have.Kind)
		s.add(plan.Create, object, w.Why, w.Serves, fails("%s", v.unfit[w.Name]))
		return
	case w.Kind == model.LinkVLAN && (have.VLAN != w.VLAN || v.names[have.Parent] != w.Parent):
		c.replaceVLAN(s, v, w, have)
		return
	}
	if w.Kind == model.LinkDummy && v.names[have.Master] != w.Master {
		s.add(plan.Update, fmt.Sprintf("link %s master %s", w.Name, w.Master), w.Why, w.Serves, c.setMaster(w))
	}
	if !have.AdminUp {
		s.add(plan.Update, "link "+w.Name+" up", w.Why, w.Serves, c.setUp(w.Name))
	}
	// Another's alias is left alone. A VLAN device is used, and taken only when it is known for ours by an address.
	mayMark := w.Kind == model.LinkVRF || w.Kind == model.LinkDummy || w.Kind == model.LinkVLAN && v.ownedLink(have)
	if have.Alias == "" && mayMark {
		s.add(plan.Adopt, object, w.Why, w.Serves, func(ctx context.Context) error {
			l, err := device(ctx, c.k, w.Name)
			if err != nil {
				return err
			}
			return c.k.LinkSetAlias(l, alias)
		})
	}
}

// replaceVLAN plans what the kernel can change only by delete and create: a tag or the device below. The create fails
// while the old device is there.
func (c *Carriers) replaceVLAN(s *steps, v *view, w model.Link, have netlink.Link) {
	what := fmt.Sprintf("%s has tag %d on %s", have.Name, have.VLAN, v.name(have.Parent))
	v.unfit[w.Name] = what
	if !v.ownedLink(have) {
		s.add(plan.Create, w.String(), w.Why, w.Serves, fails("%s and is not ours to delete", what))
		return
	}
	s.add(plan.Create, w.String(), w.Why, w.Serves, fails("%s and must be deleted first", what))
	c.deleteLink(s, v, have, what)
}

// deleteLink plans a delete. The link serves what is routed over it.
func (c *Carriers) deleteLink(s *steps, v *view, l netlink.Link, why string) {
	serves := []string{}
	for _, r := range v.Routes {
		if r.LinkIndex != l.Index {
			continue
		}
		keys := v.servedBy(r.Dst)
		if keys == nil {
			serves = nil // who knows
			break
		}
		serves = append(serves, keys...)
	}
	slices.Sort(serves)
	serves = slices.Compact(serves)
	v.doomed[l.Index] = true
	object := "link " + l.Name + " type " + l.Kind
	s.add(plan.Delete, object, why, serves, func(ctx context.Context) error {
		// By name and looked at again: the index may have been given to another.
		now, ok, err := c.k.LinkByName(ctx, l.Name)
		if err != nil || !ok {
			return err
		}
		if now.Index != l.Index {
			return fmt.Errorf("%s is another device now", l.Name)
		}
		return c.k.LinkDel(now)
	})
}

func (c *Carriers) create(w model.Link) func(context.Context) error {
	return func(ctx context.Context) error {
		l := netlink.Link{Name: w.Name, Kind: string(w.Kind), Table: w.Table, VLAN: w.VLAN, Alias: alias}
		if w.Master != "" {
			master, err := device(ctx, c.k, w.Master)
			if err != nil {
				return err
			}
			l.Master = master.Index
		}
		if w.Parent != "" {
			parent, err := device(ctx, c.k, w.Parent)
			if err != nil {
				return err
			}
			l.Parent = parent.Index
		}
		if err := c.k.LinkAdd(l); err != nil {
			return err
		}
		return c.setUp(w.Name)(ctx)
	}
}

func (c *Carriers) setUp(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := device(ctx, c.k, name)
		if err != nil {
			return err
		}
		return c.k.LinkSetUp(l)
	}
}

func (c *Carriers) setMaster(w model.Link) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := device(ctx, c.k, w.Name)
		if err != nil {
			return err
		}
		if w.Master == "" {
			return c.k.LinkSetMaster(l, 0)
		}
		master, err := device(ctx, c.k, w.Master)
		if err != nil {
			return err
		}
		return c.k.LinkSetMaster(l, master.Index)
	}
}
