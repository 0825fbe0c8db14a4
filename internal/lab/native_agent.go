package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// AgentConfig is where NativeUp writes the agent's configuration in each chassis.
const AgentConfig = "/etc/ovn-bgp-agent/bgp-agent.conf"

const (
	agentLog = "/var/log/ovnbgp/agent.log"
	agentPid = "/run/ovnbgp-agent.pid" // by its number outside the node
)

// agentSettings is the configuration an operator of this fabric would write.
func (f *Fabric) agentSettings(n Node, o NativeOptions) string {
	demo := ""
	if o.Demo {
		demo = DemoSettings
	}
	return fmt.Sprintf(`[DEFAULT]
debug = False
driver = nb_ovn_bgp_driver
exposing_method = underlay
bgp_AS = %d
ovsdb_connection = unix:/run/openvswitch/db.sock
%s
[ovn]
ovn_nb_connection = %s
ovn_sb_connection = %s
%s`, nodeAS, demo, f.Topology.Remote(f.Topology.NBPort), f.Topology.Remote(f.Topology.SBPort), f.speaking(n)+o.AgentConfig)
}

// speaking are the settings of a node whose agent speaks BGP itself, in the shape of the nodes' frr.conf.
func (f *Fabric) speaking(n Node) string {
	if !f.Topology.Embedded {
		return ""
	}
	return fmt.Sprintf(`
[bgp]
speaker = embedded
loopbacks = %s, %s
connect_retry = 2
bfd = lab

[bgp_bfd:lab]
multiplier = 10
transmit = 1000
receive = 1000

[bgp_peer:leaf]
interface = %s
as = external
`, n.Loopbacks[0].Addr(), n.Loopbacks[1].Addr(), uplink)
}

// startAgents starts an agent on every chassis.
func (f *Fabric) startAgents(o NativeOptions) error {
	return each(f.Chassis(), func(n Node) error {
		if err := n.WriteFile(AgentConfig, f.agentSettings(n, o), 0o644); err != nil {
			return err
		}
		return n.StartAgent()
	})
}

// StartAgent starts `ovnbgp agent` in the node, with its log appended to /var/log/ovnbgp/agent.log. It does not wait
// until the agent has done anything.
func (n Node) StartAgent() error {
	if n.AgentPid() != 0 {
		return fmt.Errorf("node %s: an agent runs already", n.Name)
	}
	cmd := exec.Command(n.Program, "agent", "--config-file", AgentConfig)
	if err := n.startDetached(cmd, agentLog, n.Start); err != nil {
		return err
	}
	return n.WriteFile(agentPid, strconv.Itoa(cmd.Process.Pid), 0o644)
}

// AgentPid is the number of the node's agent process as seen outside the node, 0 when none runs.
func (n Node) AgentPid() int {
	text, err := os.ReadFile(n.Path(agentPid))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !n.Owns(pid) || commandLine(pid) == "" { // a zombie has no command line
		return 0
	}
	return pid
}

// StopAgent asks the node's agent to end and waits until it has. No agent is success.
func (n Node) StopAgent(ctx context.Context) error { return n.signalAgent(ctx, unix.SIGTERM) }

// KillAgent kills the node's agent at whatever line it is. No agent is success.
func (n Node) KillAgent(ctx context.Context) error { return n.signalAgent(ctx, unix.SIGKILL) }

func (n Node) signalAgent(ctx context.Context, sig syscall.Signal) error {
	pid := n.AgentPid()
	if pid == 0 {
		return nil
	}
	if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("node %s: end agent %d: %w", n.Name, pid, err)
	}
	return poll(ctx, 20*time.Second, 20*time.Millisecond, func() error {
		if n.AgentPid() != 0 {
			return fmt.Errorf("node %s: agent %d has not ended", n.Name, pid)
		}
		return nil
	})
}
