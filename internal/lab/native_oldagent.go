package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	text, err := os.ReadFile(n.Path(oldAgentPid))
	if err != nil {
		return nil
	}
	leader := strings.TrimSpace(string(text))
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

// StopOldAgent asks the node's Python agent to end and waits until it and its helpers have. None is success.
func (n Node) StopOldAgent(ctx context.Context) error {
	for _, p := range n.oldAgent() {
		if err := unix.Kill(p.PID, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("node %s: end the Python agent: %w", n.Name, err)
		}
	}
	return poll(ctx, 5*time.Minute, oldAgentLook, func() error {
		if left := n.oldAgent(); len(left) > 0 {
			return fmt.Errorf("node %s: %d processes of the Python agent have not ended", n.Name, len(left))
		}
		return nil
	})
}
