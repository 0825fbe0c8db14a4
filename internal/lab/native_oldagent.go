package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where the Python agent is kept track of, in the node.
const (
	oldAgentLog = "/var/log/ovnbgp/old-agent.log"
	oldAgentPid = "/run/ovn-bgp-agent-old.pid" // its session, by its leader's number outside the node
)

// oldAgentLook is how often it is looked whether the Python agent is done. A look goes through all processes, on the
// processor that this agent waits for.
const oldAgentLook = 2 * time.Second

// StartOldAgent starts the Python ovn-bgp-agent in the node, with the configuration file that ours reads. It does not wait
// until it has done anything: see OldAgentIdle.
func (n Node) StartOldAgent() error {
	path, err := exec.LookPath(oldAgentPackage)
	if err != nil {
		return errors.New("the Python agent is not here: `ovnbgp lab up --with old-agent` boots a lab that has it")
	}
	if err := n.WriteFile(oldAgentLog, "", 0o644); err != nil { // OldAgentIdle reads what this one says
		return err
	}
	cmd := exec.Command(path, "--config-file", AgentConfig)
	if err := n.startDetached(cmd, oldAgentLog, n.Start); err != nil {
		return err
	}
	return n.WriteFile(oldAgentPid, strconv.Itoa(cmd.Process.Pid), 0o644)
}

// oldAgent lists the processes of the Python agent: itself and its privileged helpers.
func (n Node) oldAgent() []process {
	leader := n.oldAgentLeader()
	if leader == "" {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !n.Owns(pid) {
			continue
		}
		// Helpers leave the session: they are known by what they run.
		line := commandLine(pid)
		if e.Name() != leader && !strings.Contains(line, "privsep-helper") {
			continue
		}
		if p, err := findProcess(pid); err == nil && line != "" { // a zombie has no command line
			all = append(all, p)
		}
	}
	return all
}

// oldAgentLeader is the Python agent's own number, outside the node; "" where none was started.
func (n Node) oldAgentLeader() string {
	text, err := os.ReadFile(n.Path(oldAgentPid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// OldAgentIdle waits until the Python agent has read everything and has nothing more to do: it runs its loops, and for
// some seconds it has used no processor. Nothing in its log says so.
func (n Node) OldAgentIdle(ctx context.Context, limit time.Duration) error {
	last, since := -1, time.Now()
	return poll(ctx, limit, oldAgentLook, func() error {
		processes := n.oldAgent()
		if len(processes) == 0 {
			said, _ := os.ReadFile(n.Path(oldAgentLog)) // said or not, it has ended
			return fmt.Errorf("node %s: the Python agent has ended: %s", n.Name, said)
		}
		used := 0
		for _, p := range processes {
			ticks, err := processorTicks(p.PID)
			if err != nil {
				return err
			}
			used += ticks
		}
		if used > last+2 {
			last, since = used, time.Now()
		}
		said, err := os.ReadFile(n.Path(oldAgentLog))
		if err != nil {
			return err
		}
		if !strings.Contains(string(said), "to ensure frr configuration") || time.Since(since) < 5*time.Second {
			return fmt.Errorf("node %s: the Python agent has not settled: %s", n.Name, said)
		}
		return nil
	})
}

// processorTicks is the processor time that a process has used, in hundredths of a second.
func processorTicks(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the processor time of process %d: %q", pid, text)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return user + system, errors.Join(err1, err2)
}

// StopOldAgent ends the node's Python agent as its service does: all of it is asked to end, and what is left when the agent
// itself is gone is killed. It may start a helper anew while it ends, whom nobody asks. None is success.
func (n Node) StopOldAgent(ctx context.Context) error {
	if err := endAll(n.oldAgent(), unix.SIGTERM); err != nil {
		return fmt.Errorf("node %s: end the Python agent: %w", n.Name, err)
	}
	return poll(ctx, 5*time.Minute, oldAgentLook, func() error {
		left := n.oldAgent()
		if len(left) == 0 {
			return nil
		}
		if !slices.ContainsFunc(left, func(p process) bool { return strconv.Itoa(p.PID) == n.oldAgentLeader() }) {
			if err := endAll(left, unix.SIGKILL); err != nil {
				return fmt.Errorf("node %s: end the Python agent's helpers: %w", n.Name, err)
			}
		}
		return fmt.Errorf("node %s: %d processes of the Python agent have not ended", n.Name, len(left))
	})
}

func endAll(all []process, by unix.Signal) error {
	for _, p := range all {
		if err := unix.Kill(p.PID, by); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
