package ovsdb_test

import (
	"testing"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// A client follows the leader of a real cluster; a follower serves those who do not insist.
func TestCluster(t *testing.T) {
	first := ovsdbtest.StartCluster(t, ovsdbtest.NorthboundSchema)
	second := first.Join(t)
	both := []string{first.Endpoint(), second.Endpoint()}
	first.Transact(t, addSwitch("a"))

	leader, _ := run(t, ovsdb.Options{Endpoints: both, LeaderOnly: true})
	inSync(t, leader, 1)
	if s := leader.Status(); s.Endpoint != first.Endpoint() || s.ClusterID.IsZero() {
		t.Errorf("the leader is %s; status %+v", first.Endpoint(), s)
	}
	member, tables := run(t, ovsdb.Options{Endpoints: []string{second.Endpoint()}})
	inSync(t, member, 1)
	expectSwitches(t, member, tables, []string{"a"}, []string{"a"})
	if leader.Status().ClusterID != member.Status().ClusterID {
		t.Error("members of one cluster have different identities")
	}

	// Only a vote of both makes a leader, so leadership can go to the second alone.
	first.Control(t, "cluster/failure-test", "transfer-leadership")
	inSync(t, leader, 2)
	if s := leader.Status(); s.Endpoint != second.Endpoint() {
		t.Errorf("the new leader is %s; status %+v", second.Endpoint(), s)
	}
	if _, err := leader.Transact(t.Context(), addSwitch("b")); err != nil {
		t.Fatal(err)
	}
	ovsdbtest.Eventually(t, "the member has what the leader wrote", func() bool { return member.Status().Rows == 2 })
	expectSwitches(t, member, tables, []string{"a", "b"}, []string{"b"})
	if n := member.Status().Connects; n != 1 {
		t.Errorf("the member's connection was lost %d times", n-1)
	}
}
