package bgpd

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/model"
)

// familySummary is one address family of "show bgp summary json".
type familySummary struct {
	Peers map[string]peerSummary `json:"peers"`
}

type peerSummary struct {
	AS          uint32 `json:"remoteAs"`
	State       string `json:"state"`
	Since       int64  `json:"peerUptimeEstablishedEpoch"`
	Established uint64 `json:"connectionsEstablished"`
	Received    uint64 `json:"pfxRcd"`
	Sent        uint64 `json:"pfxSnt"`
}

// noFamily is the state of a session in a family that the neighbour does not speak.
const noFamily = "NoNeg"

// sessions joins what the families say of each neighbour.
func sessions(summary map[string]familySummary) []model.Session {
	byName := map[string]model.Session{}
	for _, family := range families() {
		for name, p := range summary[summaryKey(family)].Peers {
			s, seen := byName[name]
			if !seen {
				s = model.Session{Name: name, AS: p.AS, State: strings.ToLower(p.State), Established: p.Established}
				s.Address, _ = netip.ParseAddr(name) // of one on an interface the summary tells none
			}
			if p.State == noFamily {
				s.State = model.SessionEstablished
			} else {
				s.Families = append(s.Families, model.SessionFamily{Family: family, Received: p.Received, Sent: p.Sent})
			}
			if s.Up() && p.Since > 0 {
				s.Since = time.Unix(p.Since, 0).UTC()
			}
			byName[name] = s
		}
	}
	list := make([]model.Session, 0, len(byName))
	for _, s := range byName {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b model.Session) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// neighbor is one member of "show bgp neighbors json", whose other members are no neighbours.
type neighbor struct {
	LastReset    string `json:"lastResetDueTo"`
	Notification string `json:"lastNotificationReason"` // which the session ended with, whoever sent it
}

// tellWhyDown gives those that are down their last error, in FRR's words.
func tellWhyDown(list []model.Session, all map[string]json.RawMessage) {
	for i := range list {
		var n neighbor
		if !list[i].Down() || json.Unmarshal(all[list[i].Name], &n) != nil {
			continue
		}
		list[i].LastError = n.LastReset
		if n.Notification != "" {
			list[i].LastError += ": " + n.Notification
		}
	}
}

// summaryKey returns "ipv4Unicast".
func summaryKey(f model.BGPFamily) string { return strings.Replace(string(f), " u", "U", 1) }

// answer is what "show bgp FAMILY PREFIX json" says.
type answer struct {
	Paths []path              `json:"paths"`
	Told  map[string]struct{} `json:"advertisedTo"` // by neighbour
}

type path struct {
	ASPath struct {
		Text string `json:"string"`
	} `json:"aspath"`
	Valid     bool `json:"valid"`
	Multipath bool `json:"multipath"` // used beside the best one
	Best      struct {
		Overall bool `json:"overall"`
	} `json:"bestpath"`
	NextHops []struct {
		IP   netip.Addr `json:"ip"`
		Used bool       `json:"used"` // of an IPv6 path's two
	} `json:"nexthops"`
	Peer struct {
		ID        string `json:"peerId"`
		Interface string `json:"interface"`
		Type      string `json:"type"` // none: the path is our own
	} `json:"peer"`
}

// learned picks the paths of neighbours that bgpd uses, the best first. Any tells that some neighbour told the prefix at all.
func (a answer) learned(prefix netip.Prefix) (l model.Learned, chosen, any bool) {
	l.Prefix = prefix
	var others []model.LearnedPath
	for _, p := range a.Paths {
		if p.Peer.Type == "" {
			continue
		}
		any = true
		switch {
		case p.Best.Overall:
			l.Paths = append(l.Paths, p.path())
		case p.Multipath:
			others = append(others, p.path())
		}
	}
	if len(l.Paths) == 0 {
		return l, false, any // the best one is our own, or there is none
	}
	slices.SortFunc(others, func(a, b model.LearnedPath) int { return a.NextHop.Compare(b.NextHop) })
	l.Paths = append(l.Paths, others...)
	return l, true, true
}

func (p path) path() model.LearnedPath {
	l := model.LearnedPath{ASPath: p.ASPath.Text, Neighbor: p.Peer.Interface}
	if l.Neighbor == "" {
		l.Neighbor = p.Peer.ID
	}
	for _, h := range p.NextHops {
		if h.Used || !l.NextHop.IsValid() {
			l.NextHop = h.IP
		}
	}
	if l.NextHop.IsLinkLocalUnicast() {
		l.NextHop = l.NextHop.WithZone(p.Peer.Interface) // none: a neighbour with an address, and bgpd tells no link
	}
	return l
}

// entry is one of several routes that zebra has for a prefix.
type entry struct {
	Protocol  string `json:"protocol"`
	Selected  bool   `json:"selected"`
	Installed bool   `json:"installed"`
	NextHops  []struct {
		IP        netip.Addr `json:"ip"`
		Interface string     `json:"interfaceName"`
		InKernel  bool       `json:"fib"`
	} `json:"nexthops"`
}

// route leaves out next hops that the kernel was not given. An IPv6 one may be there twice.
func (e entry) route(p netip.Prefix) model.MainRoute {
	r := model.MainRoute{Prefix: p, By: e.Protocol}
	for _, h := range e.NextHops {
		hop := model.NextHop{Gateway: h.IP, Device: h.Interface}
		if h.InKernel && !slices.Contains(r.NextHops, hop) {
			r.NextHops = append(r.NextHops, hop)
		}
	}
	return r
}
