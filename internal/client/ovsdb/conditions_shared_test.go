package ovsdb_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// Clients that copy the same columns share a monitor within the server, whatever their conditions are; see
// monitor.bind for what may become of that. Fresh memory is full of noise here, so that what is read behind an end is
// no luck.
func TestConditionsBesideOthers(t *testing.T) {
	t.Setenv("MALLOC_PERTURB_", "165")
	server := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)
	id := fewPorts(t, server)
	o := ovsdb.Options{Endpoints: []string{server.Endpoint()}}
	write := func(n int, ports ...string) {
		changed := ovsdb.Columns{"external_ids": map[string]string{"n": fmt.Sprint(n)}}
		for _, port := range ports {
			server.Transact(t, ovsdb.Update(lsp, byName(port), changed), ovsdb.Update("Logical_Switch", byName("s"), changed))
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var clients []*ovsdb.Client
	for n := range 8 {
		// One that copies all, and others with conditions that they change.
		var from ovsdb.Conditions
		if n%4 > 0 {
			from = ovsdb.Conditions{lsp: {ovsdb.Equal("type", "localnet")}, "Logical_Switch": {}}
		}
		client, _ := runWith(t, o, from)
		inSync(t, client, 1)
		clients = append(clients, client)
		if n == 1 { // what has ended each server, at once
			set(t, client, ovsdb.Conditions{lsp: {ovsdb.IsRow(id["plain"])}, "Logical_Switch": {}})
		}
		write(n, "on-h1", "plain")
		for range 30 {
			if who := random.IntN(len(clients)); who%4 > 0 {
				set(t, clients[who], someConditions(random, id))
			}
			write(n, []string{"on-h1", "both", "plain"}[random.IntN(3)])
		}
	}
	for i, client := range clients {
		if s := client.Status(); s.Connects != 1 || !s.InSync {
			t.Errorf("client %d was in sync %d times: %v", i, s.Connects, s.LastError)
		}
	}
}

// someConditions chooses among conditions of each kind. A server looks up those that are all "==", and compares with
// one after the other where there is another.
func someConditions(random *rand.Rand, id map[string]ovsdb.UUID) ovsdb.Conditions {
	some := ovsdb.Conditions{}
	for table, list := range map[string][]ovsdb.Condition{
		lsp: {ovsdb.IsRow(id["plain"]), ovsdb.Equal("name", "both"), ovsdb.Equal("type", "localnet"),
			ovsdb.Includes("options", map[string]string{"requested-chassis": "h1"})},
		"Logical_Switch": {ovsdb.IsRow(id["switch s"]), ovsdb.Equal("name", "s"), ovsdb.Includes("ports", id["plain"])},
	} {
		list = slices.Clone(list[:1+random.IntN(len(list))])
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		some[table] = list[:random.IntN(len(list)+1)]
	}
	return some
}
