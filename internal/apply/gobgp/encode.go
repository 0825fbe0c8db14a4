package gobgp

import (
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"ovnbgp/internal/model"
)

// Here is the form that a path has in GoBGP. What is read of one that was written is the same path.

// origins of a path (RFC 4271, section 5.1.1).
const (
	originIGP        = 0
	originIncomplete = 2
)

// ofPath reads one of GoBGP's paths; ok is false for a neighbour's.
func ofPath(k *apiutil.Path) (p path, ok bool) {
	if k.PeerAddress.IsValid() {
		return path{}, false
	}
	switch nlri := k.Nlri.(type) {
	case *bgp.IPAddrPrefix:
		p.Prefix, p.NextHop = nlri.Prefix, unspecified(nlri.Prefix.Addr())
	case *bgp.EVPNNLRI:
		route, isPrefix := nlri.RouteTypeData.(*bgp.EVPNIPPrefixRoute)
		if !isPrefix {
			return path{}, false
		}
		p.Prefix, p.RD, p.VNI = netip.PrefixFrom(route.IPPrefix, int(route.IPPrefixLength)), route.RD.String(), route.Label
	default:
		return path{}, false
	}
	for _, attribute := range k.Attrs {
		switch x := attribute.(type) {
		case *bgp.PathAttributeOrigin:
			p.Own = x.Value == originIGP
		case *bgp.PathAttributeNextHop:
			p.NextHop = x.Value
		case *bgp.PathAttributeMpReachNLRI:
			p.NextHop = x.Nexthop
		case *bgp.PathAttributeCommunities:
			for _, c := range x.Value {
				p.Communities = append(p.Communities, model.Community(c))
			}
		case *bgp.PathAttributeLargeCommunities:
			for _, c := range x.Values {
				p.LargeCommunities = append(p.LargeCommunities,
					model.LargeCommunity{Global: c.ASN, Local1: c.LocalData1, Local2: c.LocalData2})
			}
		case *bgp.PathAttributeLocalPref:
			p.LocalPreference = &x.Value
		case *bgp.PathAttributeExtendedCommunities:
			p.read(x)
		}
	}
	return p.normal(), true
}

// encode makes GoBGP's path.
func (p path) encode() (*apiutil.Path, error) {
	family, nlri, err := p.nlri()
	if err != nil {
		return nil, err
	}
	origin := uint8(originIncomplete)
	if p.Own {
		origin = originIGP
	}
	attributes := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(origin)}
	if family == bgp.RF_IPv4_UC && p.NextHop.Is4() {
		next, err := bgp.NewPathAttributeNextHop(p.NextHop)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, next)
	} else {
		next, err := bgp.NewPathAttributeMpReachNLRI(family, []bgp.PathNLRI{{NLRI: nlri}}, p.NextHop)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, next)
	}
	if p.RD != "" {
		extended, err := p.extended()
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, extended)
	}
	return &apiutil.Path{Family: family, Nlri: nlri, Age: time.Now().Unix(),
		Attrs: append(attributes, p.attributes()...)}, nil
}

func (p path) nlri() (bgp.Family, bgp.NLRI, error) {
	if p.RD != "" {
		nlri, err := p.route(p.Prefix)
		return bgp.RF_EVPN, nlri, err
	}
	nlri, err := bgp.NewIPAddrPrefix(p.Prefix)
	if p.Prefix.Addr().Is6() {
		return bgp.RF_IPv6_UC, nlri, err
	}
	return bgp.RF_IPv4_UC, nlri, err
}

func (p path) attributes() (list []bgp.PathAttributeInterface) {
	var communities []uint32
	for _, c := range p.Communities {
		communities = append(communities, uint32(c))
	}
	preference := p.LocalPreference
	if p.Drained {
		communities = append(communities, uint32(model.GracefulShutdown))
		drained := uint32(drainedPreference)
		preference = &drained
	}
	if communities != nil {
		list = append(list, bgp.NewPathAttributeCommunities(communities))
	}
	var large []*bgp.LargeCommunity
	for _, c := range p.LargeCommunities {
		large = append(large, &bgp.LargeCommunity{ASN: c.Global, LocalData1: c.Local1, LocalData2: c.Local2})
	}
	if large != nil {
		list = append(list, bgp.NewPathAttributeLargeCommunities(large))
	}
	if preference != nil {
		list = append(list, bgp.NewPathAttributeLocalPref(*preference))
	}
	return list
}
