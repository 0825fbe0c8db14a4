package agent

import (
	"context"
	"errors"
	"fmt"

	"ovnbgp/internal/apply/frr"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
)

// FRRConfig is what FRR would run with in mode managed, as text; secrets are hidden.
type FRRConfig struct {
	Version string   `json:"version"`
	Text    string   `json:"text"`
	Lacks   []string `json:"lacks,omitempty"` // what is asked for and this version cannot do
	// Note says why the text is not all of it: attributes by prefix need the databases.
	Note string `json:"note,omitempty"`
}

// assumedVersion is that of an FRR that does not run.
const assumedVersion = "10.3"

// RenderFRR renders what mode managed would run with, for a version of FRR; "" is the running one's.
func RenderFRR(ctx context.Context, o Options, version string) (FRRConfig, error) {
	var out FRRConfig
	err := withManaged(ctx, o, func(ctx context.Context, applier *frr.Applier, want model.Node, note string) (err error) {
		out.Note = note
		if out.Version = version; version == "" {
			if out.Version, err = applier.Version(ctx); err != nil {
				out.Version = assumedVersion
				out.Note = fmt.Sprintf("FRR %s is assumed: %v", assumedVersion, err)
			}
		}
		out.Text, out.Lacks, err = frr.Rendered(want, out.Version)
		return err
	})
	return out, err
}

// DiffFRR compares the running FRR with what mode managed would run with. It changes nothing.
func DiffFRR(ctx context.Context, o Options) (frr.Comparison, error) {
	var out frr.Comparison
	err := withManaged(ctx, o, func(ctx context.Context, applier *frr.Applier, want model.Node, note string) (err error) {
		if note != "" && o.Progress != nil {
			o.Progress(note)
		}
		out, err = applier.Compare(ctx, want)
		return err
	})
	return out, err
}

// withManaged computes the node's state as if FRR were ours, whatever mode is set. Where the databases cannot be read the
// state is that of a node which announces nothing, and the note says so.
func withManaged(ctx context.Context, o Options, use func(context.Context, *frr.Applier, model.Node, string) error) error {
	result, err := o.Load() // what is not built need not be, to be shown: Startable is not asked
	if err != nil {
		return err
	}
	settings := result.Settings
	c := settings.Node
	c.BGP.Mode, c.BGP.Speaker = config.ModeManaged, config.SpeakerFRR
	settings.Node.BGP.Speaker = config.SpeakerFRR
	if c.BGP.Instance.AS == 0 {
		return errors.New("the configuration names no BGP neighbour: see [bgp_peer:NAME]")
	}
	return withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		waiting, cancel := context.WithTimeout(ctx, silence)
		defer cancel()
		note := ""
		in := roundInput{Config: c}
		if err := n.waitInSync(waiting, nil); err != nil {
			note = fmt.Sprintf("without what depends on announced prefixes: %v", err)
		} else if in, err = n.source.Snapshot(ctx); err != nil {
			return err
		}
		want, _ := desired.Node(in.Input, c)
		return use(ctx, n.frr, want, note)
	})
}
