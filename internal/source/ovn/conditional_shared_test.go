package ovn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// Nodes that change what they copy of one Southbound database, and one that copies all of it, beside a writer who moves
// ports and gateways among them: the server lives, and each node ends with what is its own.
func TestScopedNodesBesideEachOther(t *testing.T) {
	t.Setenv("MALLOC_PERTURB_", "165") // fresh memory is noise: who reads behind an end falls over
	central := newSouthbound(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	start := func(chassis string, conditional bool) *source.Source {
		local := newSwitch(t, map[string]string{"system-id": chassis, "hostname": "h-" + chassis, "ovn-remote": central.Endpoint()})
		s := run(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: conditional,
			Southbound: &ovsdb.Options{}})
		until(t, s, "a snapshot", good)
		return s
	}
	chassis := map[string]ovsdb.UUID{"c1": rowOf(t, central, "Chassis", "c1"), "c2": rowOf(t, central, "Chassis", "c2")}
	move := func(port, to string) {
		row := ovsdb.Columns{"chassis": ovsdb.Set{}, "external_ids": map[string]string{"n": fmt.Sprint(random.Uint32())}}
		if to != "" {
			row["chassis"] = chassis[to]
		}
		central.Transact(t, ovsdb.Update("Port_Binding", []ovsdb.Condition{ovsdb.Equal("logical_port", port)}, row))
	}
	nodes := []*source.Source{start("c2", false)}
	for _, c := range []string{"c1", "c2", "c1"} {
		nodes = append(nodes, start(c, true))
		for range 60 {
			port := []string{"p1", "p2", "vm1", "vm2", "port-1", "external", "virtual", "cr-lrp-g-r1", "cr-lrp-g-r2"}[random.IntN(9)]
			move(port, []string{"c1", "c2", ""}[random.IntN(3)])
			central.Transact(t, ovsdb.Update("Load_Balancer", []ovsdb.Condition{ovsdb.Equal("name", []string{"lb1", "old2"}[random.IntN(2)])},
				ovsdb.Columns{"vips": map[string]string{"192.0.2.1:80": fmt.Sprint(random.Uint32())}}))
			nodes[random.IntN(len(nodes))].ExposeTenants(random.IntN(2) == 0)
		}
	}
	move("p1", "c1")
	move("p2", "c2")
	for i, s := range nodes {
		s.ExposeTenants(false)
		until(t, s, "the end", func(x ovn.Snapshot, err error) bool {
			at := func(name string) string {
				n := slices.IndexFunc(x.Ports, func(p *ovn.LogicalSwitchPort) bool { return p.Name == name })
				if n < 0 {
					return "" // another's, and was never here
				}
				return x.Ports[n].Chassis
			}
			mine := []string{"p2", "p1", "p2", "p1"}[i]
			return err == nil && at(mine) == map[string]string{"p1": "c1", "p2": "c2"}[mine]
		})
		if status := s.Status()[1]; status.Connects != 1 {
			t.Errorf("node %d was in sync %d times: %v", i, status.Connects, status.LastError)
		}
	}
}
