package host

import (
	"context"
	"fmt"
	"net/netip"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

// Addresses says which of these addresses the host has now, and on what. What is in a VRF does not count: in the given one
// are announcements, and in another are addresses that no packet of the default one reaches.
func (s *Source) Addresses(ctx context.Context, list []netip.Addr, vrf string) ([]model.HostAddress, error) {
	if len(list) == 0 {
		return nil, nil
	}
	actual, err := s.Kernel.Actual(ctx)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	links := usableLinks(actual.Links, vrf)
	devices := make(map[netip.Addr]string, len(list))
	for _, a := range actual.Addrs {
		name, ok := links[a.LinkIndex]
		// One that another host has too, or perhaps has, does not take packets.
		if !ok || a.DADFailed || a.Tentative {
			continue
		}
		if before, again := devices[a.Prefix.Addr()]; !again || name < before {
			devices[a.Prefix.Addr()] = name
		}
	}
	found := make([]model.HostAddress, len(list))
	for i, a := range list {
		found[i] = model.HostAddress{Address: a, Device: devices[a]}
	}
	return found, nil
}

// usableLinks are the names of those that are up and in no VRF. A link may be up without a carrier: its addresses are
// the host's, by whichever link packets for them come.
func usableLinks(list []netlink.Link, vrf string) map[int]string {
	inVRF := netlink.InVRF(list, vrf)
	usable := make(map[int]string, len(list))
	for _, l := range list {
		if l.AdminUp && !inVRF[l.Index] {
			usable[l.Index] = l.Name
		}
	}
	return usable
}
