package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ovnbgp/internal/api"
	"ovnbgp/internal/atomicfile"
	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/source/host"
)

// drainFile is there while the node is drained. An operator's word must outlive the agent and the host, so it is on disk
// before it is obeyed.
type drainFile string

// set makes the file, or removes it. A node that is drained already stays so since then.
func (f drainFile) set(drained bool) error {
	path := string(f)
	if !drained {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return atomicfile.SyncDir(filepath.Dir(path))
	}
	if since, err := host.DrainedSince(path); err != nil || !since.IsZero() {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o644)
}

// SetDrained drains the node, or ends that. It does not wait for anybody to be told.
func (a *Agent) SetDrained(_ context.Context, drained bool) error {
	if bgp := a.wired.Node.BGP; drained && !a.node.embedded() && bgp.Mode == config.ModeObserve {
		return errors.New("[bgp] frr_mode is observe: the agent writes nothing to FRR, so it cannot drain this node; " +
			"type \"bgp graceful-shutdown\" under \"router bgp\" in vtysh, or use mode assist or managed")
	}
	if err := drainFile(a.wired.Paths.DrainFile).set(drained); err != nil {
		return fmt.Errorf("keep in %s whether the node is drained: %w", a.wired.Paths.DrainFile, err)
	}
	a.log.Info("drain", "object", a.wired.Paths.DrainFile, "why", map[bool]string{true: "the node is drained", false: "the node is drained no more"}[drained])
	a.node.source.poke()
	return nil
}

// Drain says whether the node is drained, and which peers have been told.
func (a *Agent) Drain(ctx context.Context) (api.DrainState, error) {
	since, err := host.DrainedSince(a.wired.Paths.DrainFile)
	if err != nil {
		return api.DrainState{}, err
	}
	state := api.DrainState{Drained: !since.IsZero(), Since: since}
	if !state.Drained {
		return state, nil
	}
	if a.node.embedded() {
		state.Draining, err = a.node.gobgp.Draining(ctx)
	} else {
		state.Draining, err = a.node.frr.Draining(ctx)
	}
	return state, err
}

// drainNow brings into a state what the operator says now. What cannot be read stays as it was.
func (n *node) drainNow(state model.Node) model.Node {
	if since, err := host.DrainedSince(n.source.drainFile); err == nil {
		state.BGP.Drained = !since.IsZero()
	}
	return state
}

// forgetDrain lists the step that removes the file.
func forgetDrain(path string) (steps []plan.Step) {
	if since, err := host.DrainedSince(path); err != nil || !since.IsZero() {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: "file " + path, Why: "cleanup",
			Do: func(context.Context) error { return drainFile(path).set(false) }})
	}
	return steps
}
