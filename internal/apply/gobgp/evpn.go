package gobgp

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"ovnbgp/internal/model"
)

// evpn is what a type-5 route (RFC 9136) says besides its prefix and next hop. Other paths have the zero value.
type evpn struct {
	RD        string // as GoBGP writes it
	VNI       uint32
	Targets   string // as GoBGP writes them, sorted, with blanks between
	RouterMAC string
}

// String returns " vni 100 rt 64999:100 router-mac 02:00:00:00:01:00", without the RD, which is part of the path's id.
func (e evpn) String() string {
	if e.RD == "" {
		return ""
	}
	return fmt.Sprintf(" vni %d rt %s router-mac %s", e.VNI, e.Targets, e.RouterMAC)
}

// tenant is a VRF whose announcements become type-5 routes, in the values that these need.
type tenant struct {
	evpn
	vtep netip.Addr
}

// tenants makes the VRFs that can be announced, by name. Of the others it says why not.
func tenants(b model.BGP) (made map[string]tenant, faults map[string]error) {
	made, faults = map[string]tenant{}, map[string]error{}
	owner := map[string]string{}
	for _, v := range b.VRFs {
		t, err := makeTenant(b, v)
		if other := owner[t.RD]; err == nil && other != "" {
			err = fmt.Errorf("its route distinguisher %s is that of VRF %s: nobody could tell their prefixes apart", t.RD, other)
		}
		if err != nil {
			faults[v.Name] = err
			continue
		}
		made[v.Name], owner[t.RD] = t, v.Name
	}
	return made, faults
}

func makeTenant(b model.BGP, v model.BGPVRF) (t tenant, err error) {
	const maxVNI = 1<<24 - 1
	mac, macErr := net.ParseMAC(v.RouterMAC)
	switch {
	case v.VNI == 0 || v.VNI > maxVNI:
		return t, fmt.Errorf("a VNI is a number from 1 to %d, not %d", maxVNI, v.VNI)
	case !v.VTEP.Is4(): // FRR, for one, takes no other next hop
		return t, fmt.Errorf("the VXLAN device has no IPv4 address as its source (%v)", v.VTEP)
	case macErr != nil || len(mac) != 6:
		return t, fmt.Errorf("the router's MAC %q is none: others could send nothing here", v.RouterMAC)
	}
	t = tenant{vtep: v.VTEP, evpn: evpn{VNI: v.VNI, RouterMAC: mac.String()}}
	rd, export := v.RD, v.Export
	if rd == "" {
		rd = fmt.Sprintf("%s:%d", b.RouterID, v.VNI&math.MaxUint16)
	}
	if len(export) == 0 { // FRR's, which has two bytes for the AS
		export = []string{fmt.Sprintf("%d:%d", b.AS&math.MaxUint16, v.VNI)}
	}
	if t.RD, err = number(rd); err != nil {
		return t, fmt.Errorf("route distinguisher: %w", err)
	}
	targets := make([]string, len(export))
	for i, text := range export {
		if targets[i], err = number(text); err != nil {
			return t, fmt.Errorf("route target: %w", err)
		}
	}
	t.Targets = joined(targets)
	return t, nil
}

// number checks a route distinguisher or target (RFC 4364, RFC 4360), and returns it as GoBGP writes it. GoBGP's own parser
// makes the highest number of one that is too high.
func number(text string) (string, error) {
	owner, rest, _ := strings.Cut(text, ":")
	as, notAS := strconv.ParseUint(owner, 10, 32)
	address, notAddress := netip.ParseAddr(owner)
	bits := 16
	if notAS == nil && as <= math.MaxUint16 {
		bits = 32
	}
	assigned, err := strconv.ParseUint(rest, 10, bits)
	switch {
	case err == nil && notAS == nil && as > math.MaxUint16:
		return fmt.Sprintf("%d.%d:%d", as>>16, as&math.MaxUint16, assigned), nil
	case err == nil && notAS == nil:
		return fmt.Sprintf("%d:%d", as, assigned), nil
	case err == nil && notAddress == nil && address.Is4():
		return fmt.Sprintf("%s:%d", address, assigned), nil
	}
	return "", fmt.Errorf(`%q is neither "64999:10" nor "192.0.2.1:10" nor "4200000000:10"`, text)
}

func joined(targets []string) string {
	slices.Sort(targets)
	return strings.Join(slices.Compact(targets), " ")
}

// unmade lists the keys that are wanted in a VRF that cannot be announced now. What is announced of it stays as it is: a
// bridge that was lost says nothing of what it carried.
func unmade(want model.Node) map[string]bool {
	keys := map[string]bool{}
	_, faults := tenants(want.BGP)
	if len(faults) == 0 {
		return keys
	}
	for _, x := range want.Announcements {
		if faults[x.VRF] != nil {
			keys[x.Key()] = true
		}
	}
	return keys
}

// route makes the route of a prefix: its next hop is the VTEP, so it has neither an Ethernet segment nor a gateway.
func (e evpn) route(prefix netip.Prefix) (bgp.NLRI, error) {
	rd, err := bgp.ParseRouteDistinguisher(e.RD)
	if err != nil {
		return nil, err
	}
	return bgp.NewEVPNIPPrefixRoute(rd, bgp.EthernetSegmentIdentifier{}, 0, uint8(prefix.Bits()), prefix.Addr(),
		unspecified(prefix.Addr()), e.VNI)
}

// extended makes the extended communities: the targets, VXLAN (RFC 9012), the router's MAC (RFC 9135).
func (e evpn) extended() (bgp.PathAttributeInterface, error) {
	list := []bgp.ExtendedCommunityInterface{bgp.NewEncapExtended(bgp.TUNNEL_TYPE_VXLAN), bgp.NewRoutersMacExtended(e.RouterMAC)}
	for _, text := range strings.Fields(e.Targets) {
		target, err := bgp.ParseRouteTarget(text)
		if err != nil {
			return nil, err
		}
		list = append(list, target)
	}
	return bgp.NewPathAttributeExtendedCommunities(list), nil
}

// read takes what extended makes.
func (e *evpn) read(x *bgp.PathAttributeExtendedCommunities) {
	var targets []string
	for _, c := range x.Value {
		switch c := c.(type) {
		case *bgp.RouterMacExtended:
			e.RouterMAC = c.Mac.String()
		case *bgp.TwoOctetAsSpecificExtended, *bgp.FourOctetAsSpecificExtended, *bgp.IPv4AddressSpecificExtended:
			targets = append(targets, c.String())
		}
	}
	e.Targets = joined(targets)
}
