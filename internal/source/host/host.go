// Package host reads what the node itself says: its name, the names of its routing tables, and which tables are in
// use. It writes nothing. Start at Source.Snapshot.
package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

// Kernel is where links, routes and rules are read.
type Kernel interface {
	Actual(context.Context) (netlink.Actual, error)
}

// Source reads a node.
type Source struct {
	Kernel Kernel
	// RTTables are the files that name routing tables, in the order they are read.
	RTTables []string
	// DrainFile is there while the node is drained; "": nobody can drain it.
	DrainFile string
	// BootFile names the boot in which BGP ran last; "": nobody keeps that, and no boot counts as fresh.
	BootFile string
}

// New returns a source that reads tables' names where iproute2 does: what the distribution ships, then the node's
// own file, to which the old agent appended its bridges' tables.
func New(kernel Kernel, ownRTTables string) *Source {
	return &Source{Kernel: kernel, RTTables: []string{"/usr/share/iproute2/rt_tables", ownRTTables}}
}

// Snapshot reads the node now.
func (s *Source) Snapshot(ctx context.Context) (model.Host, error) {
	name, err := os.Hostname()
	if err != nil {
		return model.Host{}, fmt.Errorf("host name: %w", err)
	}
	names, err := readRTTables(s.RTTables)
	if err != nil {
		return model.Host{}, fmt.Errorf("names of routing tables: %w", err)
	}
	actual, err := s.Kernel.Actual(ctx)
	if err != nil {
		return model.Host{}, fmt.Errorf("kernel: %w", err)
	}
	since, err := DrainedSince(s.DrainFile)
	if err != nil {
		return model.Host{}, fmt.Errorf("whether the node is drained: %w", err)
	}
	fresh := false
	if s.BootFile != "" {
		if fresh, err = FreshBoot(s.BootFile); err != nil {
			return model.Host{}, err
		}
	}
	used, own := tablesInUse(actual)
	return model.Host{Name: name, RTTables: names, Tables: used, OwnTables: own, BridgeTables: bridgeTables(actual),
		Drained: !since.IsZero(), FreshBoot: fresh}, nil
}

// tablesInUse lists the tables that a rule looks up or that belong to a VRF device, and those of them that only rules
// and routes of ours use. Of others' routes the mirror knows those in tables of our bridges.
func tablesInUse(a netlink.Actual) (used, own []uint32) {
	inUse, foreign := map[uint32]bool{}, map[uint32]bool{}
	for _, r := range a.Rules {
		if r.Table != 0 {
			inUse[r.Table] = true
			foreign[r.Table] = foreign[r.Table] || r.Protocol != model.Protocol
		}
	}
	for _, l := range a.Links {
		if l.Table != 0 {
			inUse[l.Table], foreign[l.Table] = true, true
		}
	}
	for _, r := range a.Routes {
		foreign[r.Table] = foreign[r.Table] || r.Protocol != model.Protocol
	}
	used = slices.Sorted(maps.Keys(inUse))
	own = slices.DeleteFunc(slices.Clone(used), func(id uint32) bool { return foreign[id] })
	return used, own
}

// bridgeTables finds the tables given to bridges before: in each of them stands a default route of ours to its
// bridge. Where there are several, which no agent makes, the lowest number counts.
func bridgeTables(a netlink.Actual) []model.RTTable {
	names := make(map[int]string, len(a.Links))
	for _, l := range a.Links {
		names[l.Index] = l.Name
	}
	found := map[string]uint32{}
	for _, r := range a.Routes {
		name := names[r.LinkIndex]
		if r.Protocol != model.Protocol || r.Dst.Bits() != 0 || r.Gateway.IsValid() || name == "" {
			continue
		}
		if before, ok := found[name]; !ok || r.Table < before {
			found[name] = r.Table
		}
	}
	tables := make([]model.RTTable, 0, len(found))
	for name, id := range found {
		tables = append(tables, model.RTTable{ID: id, Name: name})
	}
	slices.SortFunc(tables, func(a, b model.RTTable) int { return cmp.Compare(a.Name, b.Name) })
	return tables
}
