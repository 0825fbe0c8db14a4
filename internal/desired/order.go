package desired

import (
	"cmp"

	"ovnbgp/internal/model"
)

// compareLinks puts what others are built on first.
func compareLinks(a, b model.Link) int {
	return cmp.Or(cmp.Compare(linkRank(a.Kind), linkRank(b.Kind)), cmp.Compare(a.Name, b.Name))
}

func linkRank(k model.LinkKind) int {
	switch k {
	case model.LinkVRF:
		return 0
	case model.LinkDummy:
		return 1
	case model.LinkExisting:
		return 2
	case model.LinkVLAN:
		return 3
	}
	return 4
}

func compareAddresses(a, b model.Address) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), a.Prefix.Compare(b.Prefix))
}

func compareSysctls(a, b model.Sysctl) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name))
}

func compareRules(a, b model.Rule) int {
	return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.Table, b.Table))
}

func compareRoutes(a, b model.Route) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), a.Prefix.Compare(b.Prefix), cmp.Compare(a.Device, b.Device))
}

func compareNeighbors(a, b model.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), a.IP.Compare(b.IP))
}

func compareProxies(a, b model.Proxy) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), a.IP.Compare(b.IP))
}

func compareFlows(a, b model.Flow) int {
	return cmp.Or(cmp.Compare(a.Bridge, b.Bridge), cmp.Compare(a.Localnet, b.Localnet),
		cmp.Compare(a.EtherType, b.EtherType))
}
