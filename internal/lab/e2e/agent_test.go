package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/api"
	"ovnbgp/internal/lab"
	"ovnbgp/internal/status"
)

const agentSocket = "/run/ovnbgp/agent.sock"

// cmdAgent starts, ends and signals agents: "agent stop compute1", "agent kill …", "agent start …" (waits until it has
// settled), "agent launch …" (does not wait), "agent hup …". "agent config NODE FILE" gives it another configuration at
// its next start or HUP; the old one comes back at the script's end. "agent all FILE" does so on all nodes, and starts
// all agents anew.
func (s *stage) cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: agent start|launch|stop|kill|hup NODE… | agent config NODE FILE | agent all FILE")
	}
	if args[0] == "all" {
		ts.Check(s.configureAll(ts.ReadFile(args[1])))
		return
	}
	if args[0] == "config" {
		node, err := s.fabric.Node(args[1])
		ts.Check(err)
		ts.Check(s.configure(node, ts.ReadFile(args[2])))
		return
	}
	for _, name := range args[1:] {
		node, err := s.fabric.Node(name)
		ts.Check(err)
		ts.Check(s.control(node, args[0]))
	}
}

func (s *stage) control(node lab.Node, verb string) error {
	switch verb {
	case "start":
		delete(s.writes, node.Name) // it counts from its start
		if err := node.StartAgent(); err != nil {
			return err
		}
		return s.settled(node.Name)
	case "launch":
		delete(s.writes, node.Name)
		return node.StartAgent()
	case "stop":
		return node.StopAgent(s.ctx)
	case "kill":
		return node.KillAgent(s.ctx)
	case "hup":
		pid := node.AgentPid()
		if pid == 0 {
			return fmt.Errorf("no agent runs on %s", node.Name)
		}
		return syscall.Kill(pid, syscall.SIGHUP)
	}
	return fmt.Errorf("agent %s: want start, launch, stop, kill, hup or config", verb)
}

// configure writes a node's configuration. "$BASE" in it stands for the one the lab began with, "$CLUSTER" for the members
// of a clustered Northbound database.
func (s *stage) configure(node lab.Node, text string) error {
	base, ok := s.configs[node.Name]
	if !ok {
		old, err := os.ReadFile(node.Path(lab.AgentConfig))
		if err != nil {
			return err
		}
		base = string(old)
		s.configs[node.Name] = base
		s.undo = append(s.undo, func() error {
			return errors.Join(node.StopAgent(s.ctx), node.WriteFile(lab.AgentConfig, base, 0o644))
		})
	}
	text = strings.ReplaceAll(text, "$CLUSTER", s.fabric.NBRemotes())
	return node.WriteFile(lab.AgentConfig, strings.ReplaceAll(text, "$BASE\n", base), 0o644)
}

// configureAll starts all agents anew with another configuration.
func (s *stage) configureAll(text string) error {
	for _, n := range s.fabric.Chassis() {
		if err := errors.Join(n.StopAgent(s.ctx), s.configure(n, text), s.control(n, "launch")); err != nil {
			return err
		}
	}
	return s.settled(chassisNames()...)
}

// status asks the agent of a node.
func (s *stage) status(node string) (status.Report, error) {
	n, err := s.fabric.Node(node)
	if err != nil {
		return status.Report{}, err
	}
	return api.NewClient(n.Path(agentSocket)).Status(s.ctx)
}

// settled waits until the agents of the nodes have nothing left to do.
func (s *stage) settled(nodes ...string) error {
	for _, name := range nodes {
		if _, err := s.eventually(func() error { return s.idle(name) }); err != nil {
			return err
		}
	}
	return nil
}

// idle is an error while an agent has something to do. The status alone does not tell: it is of the last round, and
// another may be under way, which the plan waits for.
func (s *stage) idle(node string) error {
	n, err := s.fabric.Node(node)
	if err != nil {
		return err
	}
	client := api.NewClient(n.Path(agentSocket))
	preview, err := client.Plan(s.ctx)
	if err != nil {
		return err
	}
	if len(preview.Steps) > 0 {
		return fmt.Errorf("agent of %s has %d steps before it, the first: %s", node, len(preview.Steps), preview.Steps[0])
	}
	report, err := client.Status(s.ctx)
	if err != nil {
		return err
	}
	if report.Verdict != status.OK {
		text, _ := json.Marshal(report.Troubles)
		return fmt.Errorf("agent of %s: %s: %s %s", node, report.Verdict, report.Text, text)
	}
	return nil
}

// cmdSettled waits until agents have nothing left to do: "settled compute1"; all without a name.
func (s *stage) cmdSettled(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: settled [NODE…]")
	}
	if len(args) == 0 {
		args = chassisNames()
	}
	ts.Check(s.settled(args...))
}

// cmdWrites counts what an agent wrote at its own sockets since its start, or since "writes mark NODE": "writes none
// NODE", "writes some NODE".
func (s *stage) cmdWrites(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: writes mark|none|some NODE")
	}
	// Give a write that should not be the time to be made.
	time.Sleep(time.Second)
	report, err := s.status(args[1])
	ts.Check(err)
	var total uint64
	for _, sub := range report.Subsystems {
		total += sub.Writes
		ts.Logf("%s has made %d writes", sub.Name, sub.Writes)
	}
	got := total - s.writes[args[1]]
	switch args[0] {
	case "mark":
		s.writes[args[1]] = total
	case "none", "some":
		if (got == 0) != (args[0] == "none") {
			ts.Fatalf("%d writes on %s, want %s", got, args[1], args[0])
		}
	default:
		ts.Fatalf("writes %s: want mark, none or some", args[0])
	}
}
