package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ovnbgp/internal/atomicfile"
)

// stateFile is written when the nodes are there, so that they can be ended, and again when all is.
const stateFile = "state.json"

// nativeState is the file by which later calls find the fabric.
type nativeState struct {
	Topology Topology
	Program  string
	Pids     map[string]int
	Complete bool // written after the last step
}

func (s nativeState) nodes(dir string) []Node {
	var out []Node
	for _, spec := range s.Topology.Nodes {
		if pid, ok := s.Pids[spec.Name]; ok {
			out = append(out, Node{NodeSpec: spec, Pid: pid, Dir: filepath.Join(dir, spec.Name), Program: s.Program})
		}
	}
	return out
}

func readState(dir string) (nativeState, error) {
	var s nativeState
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, fmt.Errorf("read the lab's state: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read the lab's state: %w", err)
	}
	return s, nil
}

func (f *Fabric) writeState() error {
	s := nativeState{Topology: f.Topology, Program: f.program, Pids: map[string]int{}, Complete: f.complete}
	for name, n := range f.nodes {
		s.Pids[name] = n.Pid
	}
	return writeJSON(filepath.Join(stateDir, stateFile), s)
}

// writeJSON replaces a file at once: a reader never sees half of it.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.Write(path, append(text, '\n'), 0o600)
}

// ErrNotUp is returned when no lab runs on this kernel, ErrUp when one is to be built and is there.
var (
	ErrNotUp = errors.New("no lab is up")
	ErrUp    = errors.New("the lab is up already: `ovnbgp lab down` ends it")
)

// OpenFabric finds the fabric that NativeUp built, or is building: parts of it do so while it starts. It returns ErrNotUp
// when there is none, or when a node has died.
func OpenFabric() (*Fabric, error) { return openFabric(stateDir) }

func openFabric(dir string) (*Fabric, error) {
	s, err := readState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotUp
	}
	if err != nil {
		return nil, err
	}
	f := &Fabric{Topology: s.Topology, program: s.Program, nodes: map[string]Node{}, complete: s.Complete}
	for _, n := range s.nodes(dir) {
		if !n.Alive() {
			return nil, fmt.Errorf("%w: node %s has died", ErrNotUp, n.Name)
		}
		f.nodes[n.Name] = n
	}
	if len(f.nodes) < len(s.Topology.Nodes) {
		return nil, fmt.Errorf("%w: only %d of %d nodes were started", ErrNotUp, len(f.nodes), len(s.Topology.Nodes))
	}
	return f, nil
}

// checkComplete refuses half a fabric.
func (f *Fabric) checkComplete() error {
	if f.complete {
		return nil
	}
	return fmt.Errorf("%w: its start is under way, or was ended before all was there; `ovnbgp lab up` starts it anew", ErrNotUp)
}
