package file

import (
	"maps"
	"net/netip"
	"os"
	"slices"

	"ovnbgp/internal/config"
)

// hostAddresses takes over the addresses of the host itself, and looks whether each fits together.
func (l *loader) hostAddresses(node *config.Node, n named) {
	taken := map[netip.Addr]string{}
	for _, name := range slices.Sorted(maps.Keys(n.hosts)) {
		h, groupName := n.hosts[name], "host_address:"+name
		other, again := taken[h.Address]
		switch a := h.Address; {
		case !a.IsValid():
			l.problems = append(l.problems, l.ofGroup(groupName, "there is no address; set address"))
		case !isHostAddress(a) || a.IsLinkLocalUnicast():
			l.wrong(groupName, "address", "cannot be reached from elsewhere: use a global or private unicast address")
		case slices.Contains(node.BGP.Instance.Loopbacks, a):
			l.wrong(groupName, "address", "is one of [bgp] loopbacks, which are announced anyway; leave the group away")
		case again:
			l.wrong(groupName, "address", "is that of ["+other+"], too ("+l.at(other, "address")+"); one of the two groups is too many")
		}
		taken[h.Address] = groupName
		l.checkCheck(groupName, h.Check)
		node.HostAddresses = append(node.HostAddresses, *h)
	}
}

// checkCheck looks whether there is one check, and whether its program can be run.
func (l *loader) checkCheck(groupName string, c config.Check) {
	var kinds []string
	for _, k := range []struct {
		option string
		set    bool
	}{{"http", c.HTTP != ""}, {"tcp", c.TCP != ""}, {"command", len(c.Command) > 0}} {
		if k.set {
			kinds = append(kinds, k.option)
		}
	}
	if len(kinds) > 1 {
		l.wrong(groupName, kinds[1], "there is another check, "+kinds[0]+" ("+l.at(groupName, kinds[0])+"); an address has one: keep "+
			"one of them, or write a command that makes both")
	}
	if len(kinds) == 0 {
		for _, option := range []string{"interval", "timeout", "rise", "fall"} {
			if l.written(groupName, option) {
				l.wrong(groupName, option, "is of a check, and there is none; set http, tcp or command")
			}
		}
	}
	if len(c.Command) == 0 {
		return
	}
	info, err := os.Stat(c.Command[0])
	switch {
	case err != nil:
		l.wrong(groupName, "command", "the program cannot be run: "+cause(err))
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		l.wrong(groupName, "command", "the program cannot be run: it is no file that may be executed")
	}
}
