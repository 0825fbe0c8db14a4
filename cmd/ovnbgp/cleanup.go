package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/plan"
)

func newCleanupCommand() *cobra.Command {
	var conf configOptions
	var how agent.CleanupOptions
	var output string
	cmd := &cobra.Command{
		Use:     "cleanup",
		Short:   "Remove from this node everything the agent built",
		GroupID: "operate",
		Long: `Remove from this node everything the agent built: announcements first, then FRR's leak, rules, routes,
neighbours, flows, and the VRF. What others own stays, and sysctls are not set back. The agent must not run.
Where an announcement or FRR's leak cannot be withdrawn, say because FRR does not answer, the rest stays, so that
nothing is announced that does not forward; --force goes on. It may be repeated.

Exit codes: 0 nothing is left (with --dry-run: nothing would be removed), 1 error, 2 with --dry-run: something would be.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireRoot(os.Geteuid()); err != nil && !how.DryRun {
				return err
			}
			options, err := conf.agentOptions(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			options.Progress = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
			steps, err := agent.Cleanup(cmd.Context(), options, how)
			if err != nil && len(steps) == 0 { // "0 steps" would read as: nothing was left
				return err
			}
			preview := plan.Preview{Steps: steps}
			write := func(w io.Writer) error {
				if err := preview.Write(w); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "%d steps\n", len(steps))
				return err
			}
			if e := show(cmd.OutOrStdout(), output, preview, write); e != nil {
				return e
			}
			if err == nil && how.DryRun && len(steps) > 0 {
				return exitCode(exitPending)
			}
			return err
		},
	}
	conf.addFlags(cmd)
	addOutputFlag(cmd, &output)
	cmd.Flags().BoolVar(&how.DryRun, "dry-run", false, "only show what would be removed")
	cmd.Flags().BoolVar(&how.Force, "force", false, "remove rules, routes and flows even where not all could be withdrawn")
	return cmd
}

// requireRoot speaks as the agent does to who asks it for a change.
func requireRoot(euid int) error {
	if euid != 0 {
		return errors.New("this changes the node: run it as root")
	}
	return nil
}
