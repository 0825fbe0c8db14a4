package kernel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Announcements tells the world: an address on the VRF's device is redistributed by the BGP daemon as a host route.
type Announcements struct {
	k   Kernel
	vrf model.VRF
}

// NewAnnouncements returns an applier for the addresses on the VRF's device.
func NewAnnouncements(k Kernel, vrf model.VRF) *Announcements { return &Announcements{k: k, vrf: vrf} }

// Name returns the device's name: "bgp-nic".
func (a *Announcements) Name() string { return a.vrf.Device }

// Pokes receives when the kernel's state may have changed.
func (a *Announcements) Pokes() <-chan struct{} { return a.k.Pokes() }

// Reread makes the next Plan read the kernel anew.
func (a *Announcements) Reread(context.Context) error {
	a.k.Invalidate()
	return nil
}

// ownedAnnouncement tells whether an address on the VRF's device is an announcement: any host's is, unless it is
// link-local. The device is ours, so nobody else's address has business there.
func ownedAnnouncement(a netlink.Addr, device int) bool {
	return a.LinkIndex == device && a.Prefix.IsSingleIP() && !a.Prefix.Addr().IsLinkLocalUnicast()
}

// addresses returns the announced addresses by key; none while the device is not there.
func (a *Announcements) addresses(ctx context.Context) (map[string]netlink.Addr, error) {
	actual, err := a.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	device := 0
	for _, l := range actual.Links {
		if l.Name != a.vrf.Device {
			continue
		}
		if l.Kind != "dummy" {
			return nil, fmt.Errorf("%s is there and no dummy device: its addresses may be another's", l.Name)
		}
		device = l.Index
	}
	have := map[string]netlink.Addr{}
	for _, addr := range actual.Addrs {
		if ownedAnnouncement(addr, device) {
			have[model.Key(a.vrf.Name, addr.Prefix)] = addr
		}
	}
	return have, nil
}

// Announced lists the keys of the addresses that are on the device now, sorted.
func (a *Announcements) Announced(ctx context.Context) ([]string, error) {
	have, err := a.addresses(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(have))
	for k := range have {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, nil
}

// Plan compares the announcements of its VRF with the device's addresses.
func (a *Announcements) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	have, err := a.addresses(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[string]model.Announcement{}
	for _, w := range want.Announcements {
		if w.VRF == a.vrf.Name {
			wanted[w.Key()] = w
		}
	}
	var s steps
	for d := range plan.Diff(wanted, have) {
		switch {
		case d.Have == nil:
			a.announce(&s, *d.Want)
		case d.Want == nil:
			s.add(plan.Delete, addressText(d.Have.Prefix, a.vrf.Device), unwanted, []string{d.Key},
				func(context.Context) error { return a.k.AddrDel(*d.Have) })
		}
	}
	return append(s.makes, s.deletes...), nil
}

func (a *Announcements) announce(s *steps, w model.Announcement) {
	do := addAddress(a.k, device, w.Prefix, a.vrf.Device)
	if !w.Prefix.IsSingleIP() {
		do = fails("only the address of a host can be announced by an address on %s", a.vrf.Device)
	}
	s.add(plan.Create, addressText(w.Prefix, a.vrf.Device), strings.Join(w.Whys, "; "), []string{w.Key()}, do)
}

// Cleanup lists the deletes of all announcements: those on the configured device, and those on any device that our
// alias marks, which an earlier configuration may have named otherwise.
func (a *Announcements) Cleanup(ctx context.Context) ([]plan.Step, error) {
	actual, err := a.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	vrfs := slices.DeleteFunc(ownVRFs(actual.Links), func(vrf model.VRF) bool {
		return vrf.Device == "" || vrf.Device == a.vrf.Device
	})
	var all []plan.Step
	for _, vrf := range append(vrfs, a.vrf) {
		steps, err := NewAnnouncements(a.k, vrf).Plan(ctx, model.Node{})
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}
