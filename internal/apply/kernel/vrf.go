package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// OwnVRFs lists the VRFs that are known for ours by their alias, each with the device of ours in it, whatever the
// configuration calls them now. A device of ours in no such VRF is listed without a name and table, a VRF without a
// device of ours without that.
func (c *Carriers) OwnVRFs(ctx context.Context) ([]model.VRF, error) {
	actual, err := c.k.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	return ownVRFs(actual.Links), nil
}

// CheckVRF refuses a VRF that differs from the one that is there, with an error that names the way out. Plan does the
// same; this is for the start, before anything runs.
func (c *Carriers) CheckVRF(ctx context.Context, want model.VRF) error {
	actual, err := c.k.Actual(ctx)
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	return checkVRF(actual.Links, want)
}

func ownVRFs(links []netlink.Link) []model.VRF {
	own := map[int]model.VRF{}
	for _, l := range links {
		if l.Kind == "vrf" && l.Alias == alias {
			own[l.Index] = model.VRF{Name: l.Name, Table: l.Table}
		}
	}
	var list []model.VRF
	used := map[int]bool{}
	for _, l := range links {
		if l.Kind == "dummy" && l.Alias == alias {
			vrf := own[l.Master]
			vrf.Device, used[l.Master] = l.Name, true
			list = append(list, vrf)
		}
	}
	for index, vrf := range own {
		if !used[index] {
			list = append(list, vrf)
		}
	}
	slices.SortFunc(list, func(a, b model.VRF) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Device, b.Device))
	})
	return list
}

func checkVRF(links []netlink.Link, want model.VRF) error {
	var errs []error
	for _, l := range links {
		named := l.Name == want.Name || l.Name == want.Device
		switch {
		case l.Kind == "vrf" && l.Name == want.Name && l.Table != want.Table:
			errs = append(errs, fmt.Errorf("VRF %s has table %d, configured is %d", l.Name, l.Table, want.Table))
		case !named && l.Alias == alias && (l.Kind == "vrf" || l.Kind == "dummy"):
			errs = append(errs, fmt.Errorf("%s %s is there from another configuration", l.Kind, l.Name))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return fmt.Errorf("%w: run \"ovnbgp cleanup\" with the old configuration first, to withdraw what it announces",
		errors.Join(errs...))
}

// cleanupVRF lists the deletes of VRFs and their devices: those of our alias, and the configured ones. Devices go
// before the VRF they are in.
func (c *Carriers) cleanupVRF(v *view, vrf model.VRF) []plan.Step {
	var s steps
	for _, kind := range []string{"dummy", "vrf"} {
		for _, l := range v.Links {
			configured := kind == "dummy" && l.Name == vrf.Device || kind == "vrf" && l.Name == vrf.Name
			if l.Kind == kind && (l.Alias == alias || configured) {
				c.deleteLink(&s, v, l, "cleanup")
			}
		}
	}
	for i := range s.deletes {
		s.deletes[i].Serves = nil
	}
	return s.deletes
}
