package api

import (
	"testing"

	"ovnbgp/internal/model"
)

func TestWaiting(t *testing.T) {
	told := func(peer string, up bool, drained, left int) model.Told {
		return model.Told{Peer: peer, Family: model.IPv4Unicast, Up: up, Drained: drained, Left: left}
	}
	queued := told("eth1", true, 3, 0)
	queued.Queued = true
	for name, tt := range map[string]struct {
		state model.Draining
		want  string
	}{
		"not in force":   {model.Draining{}, "the BGP daemon has not been told yet"},
		"no peers":       {model.Draining{InForce: true}, "no peer has a session: nobody was told"},
		"told":           {model.Draining{InForce: true, Peers: []model.Told{told("eth1", true, 3, 0)}}, ""},
		"a session down": {model.Draining{InForce: true, Peers: []model.Told{told("eth1", false, 0, 0), told("eth2", true, 3, 0)}}, ""},
		"all sessions down": {model.Draining{InForce: true, Peers: []model.Told{told("eth1", false, 0, 0)}},
			"no peer has a session: nobody was told"},
		"one prefix left": {model.Draining{InForce: true, Peers: []model.Told{told("eth1", true, 2, 1)}}, "waiting for eth1 (ipv4 unicast): 2 of 3 prefixes"},
		"in the queue":    {model.Draining{InForce: true, Peers: []model.Told{queued}}, "waiting for eth1 (ipv4 unicast): 3 of 3 prefixes"},
		"two": {model.Draining{InForce: true, Peers: []model.Told{told("eth1", true, 0, 3), told("eth2", true, 0, 3)}},
			"waiting for eth1 (ipv4 unicast): 0 of 3 prefixes, and 1 more"},
	} {
		if got := (DrainState{Drained: true, Draining: tt.state}).Waiting(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
