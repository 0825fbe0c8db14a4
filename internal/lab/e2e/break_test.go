package e2e

import (
	"context"
	"errors"
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/lab"
)

// cmdDaemon breaks and mends what runs on nodes:
//
//	daemon kill NODE PROGRAM       it gets no chance to tidy up
//	daemon exit NODE PROGRAM       as packages stop ovs-vswitchd and ovn-controller
//	daemon cleanup NODE            ovs-vswitchd goes and takes its devices along
//	daemon start NODE PROGRAM      ovs-vswitchd, ovn-controller, bgpd, zebra
//	daemon kill|start NODE frr     all of FRR's
//
// What a script has ended and not started again is started at its end.
func (s *stage) cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: daemon kill|exit|cleanup|start NODE [PROGRAM]")
	}
	node, err := s.fabric.Node(args[1])
	ts.Check(err)
	program := "ovs-vswitchd"
	if len(args) > 2 {
		program = args[2]
	}
	key := node.Name + " " + program
	if args[0] == "start" {
		delete(s.ended, key)
		ts.Check(startDaemon(s.ctx, node, program))
		return
	}
	ts.Check(endDaemon(s.ctx, node, program, args[0]))
	s.ended[key] = func() error { return startDaemon(s.ctx, node, program) }
}

func startDaemon(ctx context.Context, n lab.Node, program string) error {
	switch program {
	case "ovs-vswitchd":
		return n.StartVswitchd(ctx)
	case "ovn-controller":
		return n.StartController(ctx)
	case "bgpd", "zebra":
		return n.StartFRRDaemon(ctx, program)
	case "frr":
		return n.StartFRR(ctx)
	}
	return fmt.Errorf("daemon start: %s is not known here", program)
}

func endDaemon(ctx context.Context, n lab.Node, program, how string) error {
	var err error
	switch how {
	case "kill":
		if program == "frr" {
			return n.KillFRR()
		}
		var killed int
		if killed, err = n.Kill(program); err == nil && killed == 0 {
			err = fmt.Errorf("no %s runs on %s", program, n.Name)
		}
	case "exit":
		tool := "ovs-appctl"
		if program == "ovn-controller" {
			tool = "ovn-appctl"
		}
		_, err = n.Output(ctx, tool, "-t", program, "exit")
	case "cleanup":
		_, err = n.Output(ctx, "ovs-appctl", "-t", program, "exit", "--cleanup")
	default:
		err = fmt.Errorf("daemon %s: want kill, exit, cleanup or start", how)
	}
	return err
}

// cmdDatabase ends, starts and replaces OVN's databases: "database stop nb", "database start nb", "database replace sb"
// (by an empty one), "database restore sb". "database cluster nb" makes it a Raft cluster of three servers and ends the
// agents, which are to be given all of them; "database kill-leader nb" then kills the one that leads. What a script leaves
// broken is mended at its end.
func (s *stage) cmdDatabase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: database stop|start|replace|restore nb|sb | database cluster|kill-leader nb")
	}
	d := lab.Database(args[1])
	key := "database " + args[1]
	switch args[0] {
	case "stop":
		ts.Check(s.fabric.StopDatabase(s.ctx, d))
		s.ended[key] = func() error { return s.fabric.StartDatabase(s.ctx, d) }
	case "start":
		delete(s.ended, key)
		ts.Check(s.fabric.StartDatabase(s.ctx, d))
	case "replace":
		ts.Check(s.fabric.ReplaceDatabase(s.ctx, d))
		s.ended[key] = func() error { return s.fabric.RestoreDatabase(s.ctx, d) }
	case "restore":
		delete(s.ended, key)
		ts.Check(s.fabric.RestoreDatabase(s.ctx, d))
	case "cluster":
		ts.Check(s.cluster())
	case "kill-leader":
		restart, err := s.fabric.KillNBLeader(s.ctx)
		ts.Check(err)
		s.ended[key] = func() error { return restart(s.ctx) }
		ts.Check(s.openCloud())
	default:
		ts.Fatalf("database %s: want stop, start, replace, restore, cluster or kill-leader", args[0])
	}
	if len(s.ended) == 0 {
		ts.Check(s.openCloud())
	}
}

// cmdUplink cuts a node from the leaf, overlay and all, or heals it: "uplink gateway1 down".
func (s *stage) cmdUplink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[1] != "up" && args[1] != "down" {
		ts.Fatalf("usage: uplink NODE up|down")
	}
	key := "uplink " + args[0]
	delete(s.ended, key)
	if args[1] == "down" {
		s.ended[key] = func() error { return s.fabric.SetUplink(args[0], true) }
	}
	ts.Check(s.fabric.SetUplink(args[0], args[1] == "up"))
}

// cluster makes the Northbound database a cluster, and at the script's end a single server again. An agent knows its
// database by an identity that changes with that: it is told to take what it finds, as an operator would.
func (s *stage) cluster() error {
	s.undo = append(s.undo, func() error {
		return errors.Join(s.strangers(), s.fabric.StandaloneNB(s.ctx), s.openCloud())
	})
	if err := errors.Join(s.strangers(), s.fabric.ClusterNB(s.ctx)); err != nil {
		return err
	}
	return s.openCloud()
}

// strangers ends all agents and takes from their nodes what database they knew.
func (s *stage) strangers() error {
	var errs []error
	for _, n := range s.fabric.Chassis() {
		errs = append(errs, n.StopAgent(s.ctx))
		_, err := n.Output(s.ctx, "ovs-vsctl", "--no-wait", "remove", "Open_vSwitch", ".", "external_ids", "ovnbgp-nb")
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
