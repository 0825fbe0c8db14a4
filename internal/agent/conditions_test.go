package agent

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/config"
)

// Of either database a node copies its own part, unless it is told otherwise.
func TestConditionalMonitoring(t *testing.T) {
	local := ovsdbtest.Start(t, ovsdbtest.VSwitchSchema)
	northbound, southbound := ovsdbtest.Start(t, ovsdbtest.NorthboundSchema), ovsdbtest.Start(t, ovsdbtest.SouthboundSchema)
	local.Transact(t, ovsdb.Insert("Open_vSwitch", "", ovsdb.Columns{
		"external_ids": map[string]string{"system-id": "node1", "hostname": "node1"}}))
	northbound.Transact(t, ovsdb.Insert("NB_Global", "", ovsdb.Columns{}))
	northbound.Fill(t, 250)
	rows := []ovsdb.Operation{ovsdb.Insert("SB_Global", "", ovsdb.Columns{}),
		ovsdb.Insert("Datapath_Binding", "d", ovsdb.Columns{"tunnel_key": 1})}
	for n := range 250 {
		rows = append(rows, ovsdb.Insert("Port_Binding", "", ovsdb.Columns{"logical_port": fmt.Sprint(n),
			"tunnel_key": n + 1, "datapath": ovsdb.Named("d")}))
	}
	southbound.Transact(t, rows...)
	for _, driver := range []config.Driver{config.DriverNB, config.DriverSB, config.DriverStretchedL2} {
		for conditional, atLeast := range map[bool]int{true: 1, false: 251} {
			s := config.Settings{Switch: config.Switch{Endpoint: local.Endpoint()},
				Northbound: config.Database{Endpoints: []string{northbound.Endpoint()}},
				Southbound: config.Database{Endpoints: []string{southbound.Endpoint()}}}
			s.Node.Driver, s.Safety.ConditionalMonitoring = driver, conditional
			if got := copied(t, s); got < atLeast || conditional && got > 5 {
				t.Errorf("%s, conditional monitoring %t: %d rows", driver, conditional, got)
			}
		}
	}
}

// copied returns how many rows of the central database a node holds that has none of its own.
func copied(t *testing.T, s config.Settings) int {
	t.Helper()
	source, err := (&node{}).connectOVN(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	defer func() {
		stop()
		<-ended // with its context
	}()
	ovsdbtest.Eventually(t, "a snapshot", func() bool {
		_, err := source.Snapshot(ctx)
		return err == nil
	})
	return source.Status()[1].Rows
}
