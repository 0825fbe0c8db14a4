package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/api"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/plan"
)

func newPlanCommand() *cobra.Command {
	var ask askOptions
	var conf configOptions
	var from string
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Show what the agent would change now; change nothing",
		GroupID: "operate",
		Long: `Show what the agent would change now, and why. The running agent is asked, at the socket
that the configuration names; where none runs, the same
round is run here, read only, so that it can be asked before the old agent is swapped.

With --from the decisions are made from a snapshot (see ` + "`ovnbgp snapshot`" + `) instead of the databases, and
compared with this node.

Exit codes: 0 nothing to do, 1 error, 2 steps pending.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			preview, err := planOf(cmd, ask, conf, from)
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return writePlan(w, preview) }
			if err := show(cmd.OutOrStdout(), ask.output, preview, write); err != nil {
				return err
			}
			if len(preview.Steps) > 0 || len(preview.Problems) > 0 {
				return exitCode(exitPending)
			}
			return nil
		},
	}
	ask.addFlags(cmd)
	conf.addFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "decide from this snapshot file; - is standard input")
	return cmd
}

// planOf asks the agent, or runs the round itself.
func planOf(cmd *cobra.Command, ask askOptions, conf configOptions, from string) (plan.Preview, error) {
	ctx := cmd.Context()
	if from == "" {
		return orLook(cmd, &ask, &conf, func(c *api.Client) (plan.Preview, error) { return c.Plan(ctx) },
			func(o agent.Options) (plan.Preview, error) { return agent.Plan(ctx, o) })
	}
	options, err := conf.commandOptions(cmd.ErrOrStderr())
	if err != nil {
		return plan.Preview{}, err
	}
	text, err := readSnapshot(cmd.Context(), from)
	if err != nil {
		return plan.Preview{}, fmt.Errorf("read the snapshot %s: %w", from, err)
	}
	preview, err := agent.PlanFrom(cmd.Context(), options, json.RawMessage(text))
	if err != nil {
		return plan.Preview{}, fmt.Errorf("%s: %w", from, err)
	}
	return preview, nil
}

// maxSnapshot is more than a snapshot of fifty thousand ports by an order of magnitude.
const maxSnapshot = 1 << 30

// readSnapshot reads a snapshot's file; - is standard input. What writes into a pipe may take its time, so that a signal
// must end us meanwhile.
func readSnapshot(ctx context.Context, path string) ([]byte, error) {
	if path == "-" {
		path = "/dev/stdin"
	}
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := file.ReadFile(path, true, maxSnapshot)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func writePlan(w io.Writer, p plan.Preview) error {
	if err := p.Write(w); err != nil {
		return err
	}
	if len(p.Steps) == 0 && len(p.Problems) == 0 {
		_, err := fmt.Fprintln(w, "nothing to do")
		return err
	}
	_, err := fmt.Fprintf(w, "%d steps\n", len(p.Steps))
	return err
}
