package agent

import (
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/source/host"
	"ovnbgp/internal/status"
)

// countObjects counts what a state wants, by subsystem and kind, for the status.
func countObjects(n model.Node) []status.Count {
	var counts []status.Count
	add := func(subsystem, kind string, wanted int) {
		if wanted > 0 {
			counts = append(counts, status.Count{Subsystem: subsystem, Kind: kind, Wanted: wanted})
		}
	}
	add("kernel", "link", len(n.Links))
	add("kernel", "sysctl", len(n.Sysctls))
	add("kernel", "address", len(n.Addresses))
	add("kernel", "route", len(n.Routes))
	add("kernel", "neighbour", len(n.Neighbors))
	add("kernel", "proxy", len(n.Proxies))
	add("kernel", "rule", len(n.Rules))
	add("ovs", "flow", len(n.Flows))
	addresses := 0
	for _, a := range n.Announcements {
		if a.IsAddress() {
			addresses++
		}
	}
	add(n.VRF.Device, "address", addresses)
	add(n.VRF.Device, "route", len(n.Announcements)-addresses)
	if n.Leak.VRF != "" {
		add("frr", "leak", 1)
	} else {
		add("gobgp", "path", len(n.Announcements)+len(n.BGP.Loopbacks))
		add("gobgp", "peer", len(n.BGP.Peers))
	}
	return counts
}

// readings are what the metrics ask for at each scrape.
func (a *Agent) readings() metrics.Readings {
	since, _ := host.DrainedSince(a.wired.Paths.DrainFile) // what cannot be read closes the gate, which other metrics tell
	r := metrics.Readings{Ready: a.loop.Status().Ready, Drained: !since.IsZero(), Writes: a.node.writes.bySubsystem(),
		ConfigGood: a.reloads.refused() == nil, ConfigRead: a.reloads.lastGood()}
	for _, s := range a.node.ovn.Status() {
		r.Databases = append(r.Databases, metrics.Database{Name: s.Database, Connected: s.InSync, Connects: s.Connects,
			Updates: s.Updates, Rows: s.Rows})
	}
	return r
}
