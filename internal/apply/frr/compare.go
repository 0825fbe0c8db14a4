package frr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
)

// Statement is one statement in which a running FRR differs from what mode Managed would run with. Secrets are hidden.
type Statement struct {
	Path []string  `json:"path,omitempty"` // what it stands in, outermost first
	Verb text.Verb `json:"verb"`
	Line string    `json:"line"`
	Old  string    `json:"old,omitempty"` // what it takes the place of
	Why  string    `json:"why"`
}

// Comparison is what mode Managed would change.
type Comparison struct {
	Version    string      `json:"version"`
	Statements []Statement `json:"statements"`
	// Lacks say what the configuration asks for and this FRR cannot do.
	Lacks []string `json:"lacks,omitempty"`
}

// Compare compares a running FRR with what mode Managed would run with, and changes nothing.
func (a *Applier) Compare(ctx context.Context, want model.Node) (Comparison, error) {
	version, err := a.version(ctx)
	if err != nil {
		return Comparison{}, err
	}
	config, err := text.Render(want, version)
	if err != nil {
		return Comparison{}, fmt.Errorf("the configuration for FRR cannot be made: %w", err)
	}
	running, err := a.readAll(ctx)
	if err != nil {
		return Comparison{}, err
	}
	return Comparison{Version: version.String(), Statements: statements(text.Diff(config, running)), Lacks: config.Lacks}, nil
}

// statements lists changes as an operator reads them: once, whichever daemons they concern, and in their places.
func statements(d text.Difference) []Statement {
	var list []Statement
	seen := map[string]bool{}
	for _, c := range d.Changes {
		s := Statement{Path: c.Path, Verb: c.Verb, Line: text.Redact(c.Line), Old: text.Redact(c.Old), Why: c.Why()}
		key := strings.Join(append(slices.Clone(c.Path), string(c.Verb), s.Line), "\n")
		if !seen[key] {
			seen[key] = true
			list = append(list, s)
		}
	}
	return list
}

// Version is that of the running FRR.
func (a *Applier) Version(ctx context.Context) (string, error) {
	v, err := a.version(ctx)
	return v.String(), err
}

// Rendered is what mode Managed would run with, secrets hidden.
func Rendered(want model.Node, version string) (config string, lacks []string, err error) {
	v, err := text.ParseVersion(version)
	if err != nil {
		return "", nil, err
	}
	c, err := text.Render(want, v)
	if err != nil {
		return "", nil, fmt.Errorf("the configuration for FRR cannot be made: %w", err)
	}
	shown := text.Config{Ours: text.Redacted(c.Ours), Raw: text.Redacted(c.Raw)}
	return text.Saved(shown, nil), c.Lacks, nil
}
