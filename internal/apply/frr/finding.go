package frr

import (
	"context"
	"fmt"
	"slices"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
)

// Finding is something about FRR's configuration that an operator should know and that no step changes.
type Finding struct {
	Where string // "router bgp 64999"
	Text  string
	Fix   string // what to do
}

// Findings lists what the last Plan came upon.
func (a *Applier) Findings() []Finding {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := slices.Clone(a.findings)
	if a.daemonsChanged {
		list = append(list, Finding{Where: "daemons", Text: "FRR's daemons file was changed, and counts from FRR's next start",
			Fix: "systemctl restart frr, at a time of your choice"})
	}
	return list
}

func (a *Applier) find(list []Finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.findings = list
}

// lacking tells what this version of FRR cannot do.
func (a *Applier) lacking(lacks []string) {
	var list []Finding
	for _, l := range lacks {
		list = append(list, Finding{Where: "version", Text: l, Fix: "a newer FRR"})
	}
	a.find(list)
}

// maxFindings bounds what an observed FRR is told to lack.
const maxFindings = 50

// observe finds what mode Managed would change.
func (a *Applier) observe(ctx context.Context, want model.Node) error {
	version, err := a.version(ctx)
	if err != nil {
		return err
	}
	config, err := text.Render(want, version)
	if err != nil {
		return fmt.Errorf("the configuration for FRR cannot be made: %w", err)
	}
	running, err := a.readAll(ctx)
	if err != nil {
		return err
	}
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return err
	}
	a.notePermanent(have)
	var list []Finding
	for _, s := range statements(text.Diff(config, running)) {
		if len(list) == maxFindings {
			list = append(list, Finding{Where: "and more", Text: "see `ovnbgp frr diff`"})
			break
		}
		where := "frr"
		if len(s.Path) > 0 {
			where = s.Path[0]
		}
		list = append(list, Finding{Where: where, Text: string(s.Verb) + " " + s.Line + ": " + s.Why})
	}
	a.find(list)
	return nil
}
