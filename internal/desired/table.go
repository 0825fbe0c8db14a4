package desired

import (
	"fmt"
	"slices"

	"ovnbgp/internal/model"
)

// tableBase is the first routing table tried for a bridge that has none. It is far from the numbers people pick
// by hand (below 256, the range of iproute2's names), and starts with the number of our protocol.
const tableBase = 17900

// numberTables gives each mapped bridge its routing table: the one rt_tables names for it, else the one found
// again by a route of ours on that bridge, else the first that nobody uses. What was found comes before what is
// new for all bridges, so that a new bridge never takes a table from an old one.
func (v *view) numberTables() {
	v.tables = make(map[string]uint32, len(v.bridges))
	taken := map[uint32]string{v.c.VRFTable: v.c.VRF, 0: "unspec", 253: "default", 254: "main", 255: "local"}
	claim := func(bridge string, id uint32) bool {
		if _, used := taken[id]; used {
			return false
		}
		v.tables[bridge], taken[id] = id, bridge
		return true
	}
	for _, bridge := range v.bridges {
		for _, line := range sortedTables(v.in.Host.RTTables) {
			if line.Name != bridge || v.tables[bridge] != 0 {
				continue
			}
			if !claim(bridge, line.ID) {
				v.note("table-in-use", "rt_tables "+bridge, fmt.Sprintf(
					"rt_tables gives bridge %s table %d, which is that of %s: another table is used",
					bridge, line.ID, taken[line.ID]), "give the bridge a table of its own in rt_tables")
			}
		}
	}
	for _, bridge := range v.bridges {
		for _, found := range sortedTables(v.in.Host.BridgeTables) {
			if found.Name == bridge && v.tables[bridge] == 0 {
				claim(bridge, found.ID)
			}
		}
	}
	v.numberNewTables(claim)
}

// numberNewTables picks tables for the bridges that have none. A table in which nothing but our own objects is
// found counts as free: else a rule that was written before its route could be would push the next round to the
// next table, for ever.
func (v *view) numberNewTables(claim func(string, uint32) bool) {
	inUse := map[uint32]bool{}
	for _, id := range v.in.Host.Tables {
		inUse[id] = !slices.Contains(v.in.Host.OwnTables, id)
	}
	for _, line := range v.in.Host.RTTables {
		inUse[line.ID] = true
	}
	next := uint32(tableBase)
	for _, bridge := range v.bridges {
		for v.tables[bridge] == 0 {
			if !inUse[next] {
				claim(bridge, next)
			}
			next++
		}
	}
}

func sortedTables(list []model.RTTable) []model.RTTable {
	return slices.SortedFunc(slices.Values(list), func(a, b model.RTTable) int { return int(a.ID) - int(b.ID) })
}
