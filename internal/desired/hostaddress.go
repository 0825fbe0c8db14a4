package desired

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// hostAddresses says what the addresses of the host itself mean. Nothing carries them: packets for them end here, and are
// the host's as soon as it has the address. No policy is over them, each is named in the settings.
func (v *view) hostAddresses() (found []finding) {
	there := make(map[netip.Addr]model.HostAddress, len(v.in.Host.Addresses))
	for _, a := range v.in.Host.Addresses {
		there[a.Address] = a
	}
	for _, h := range v.c.HostAddresses {
		state := there[h.Address]
		f := v.at(h.Address, "[host_address:"+h.Name+"]", v.placeHostAddress(h, state))
		f.rank, f.kind, f.device = rankHost, model.KindHost, state.Device
		f.why = "host address " + h.Name
		found = append(found, f)
	}
	return found
}

// placeHostAddress decides about one of them. Where the address is not, the host says so itself: that is never doubted.
func (v *view) placeHostAddress(h config.HostAddress, state model.HostAddress) model.Decision {
	if no := unfit(h.Address); no != nil {
		return *no
	}
	d := model.Decision{Verdict: model.Announced, Reason: "host-address", Node: v.host,
		Text: fmt.Sprintf("%s has it", state.Device)}
	switch {
	case state.Device == "":
		return model.Decision{Verdict: model.Unplaced, Reason: "host-address-absent", Evidence: model.Explained,
			Text: "no device of this host has it, or it cannot be used there"}
	case !h.Check.IsSet():
		return d
	case state.Health == model.Passing:
		d.Text += ", and its check passes"
		return d
	case state.Health == model.Failing:
		return *suppressed("host-check-failing", fmt.Sprintf("%s has it, and its check fails: %s", state.Device,
			printable(state.Text)), "mend what the check asks")
	}
	// An agent that starts must not withdraw what works, nor announce what it knows nothing of.
	no := suppressed("host-check-pending", fmt.Sprintf("%s has it, and its check has not ended once", state.Device), "")
	no.Evidence = model.Doubtful
	return *no
}

// hostAnnouncement is always borne by a route. As an address on the VRF's device it would be on the host twice, and
// those who move such addresses (Pacemaker's IPaddr2) look through all devices for them.
func (v *view) hostAnnouncement(f finding) model.Announcement {
	return model.Announcement{VRF: v.c.VRF, Prefix: f.prefix, Device: f.device, AsRoute: true,
		Kinds: []model.Kind{f.kind}, Whys: []string{f.why}}
}

// HostAddresses brings into a state what the host says now of its own addresses. It is for the time while OVN cannot be
// read: they do not depend on it, and what depends on it stays as it was.
func HostAddresses(n model.Node, host model.Host, c config.Node) model.Node {
	v := newView(&Input{Host: host}, c)
	unsure := map[netip.Prefix]bool{}
	var now []model.Announcement
	for _, f := range v.hostAddresses() {
		switch {
		case f.Verdict == model.Announced:
			a := v.hostAnnouncement(f)
			a.Attributes = c.BGP.AttributesOf(a.Kinds)
			now = append(now, a)
		case f.Evidence == model.Doubtful:
			unsure[f.prefix] = true
		}
	}
	taken := map[netip.Prefix]bool{}
	kept := slices.DeleteFunc(slices.Clone(n.Announcements), func(a model.Announcement) bool {
		old := slices.Contains(a.Kinds, model.KindHost) && !unsure[a.Prefix]
		taken[a.Prefix] = !old
		return old
	})
	for _, a := range now {
		if !taken[a.Prefix] {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, func(a, b model.Announcement) int { return a.Prefix.Compare(b.Prefix) })
	n.Announcements = kept
	return n
}
