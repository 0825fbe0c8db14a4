package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnbgp/internal/api"
	"ovnbgp/internal/status"
)

// askOptions are the flags of commands that ask the running agent.
type askOptions struct {
	socket string
	output string
}

func (o *askOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.socket, "socket", defaultSocket, "the agent's local socket")
	addOutputFlag(cmd, &o.output)
}

func (o *askOptions) client() *api.Client { return api.NewClient(o.socket) }

const defaultSocket = "/run/ovnbgp/agent.sock"

func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table or json")
	// A flag that this function has just made cannot be unknown.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// show writes a value as JSON, or for people by a function of its own.
func show(w io.Writer, output string, value any, table func(io.Writer) error) error {
	switch output {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(value)
	case "table":
		return table(w)
	}
	return fmt.Errorf("--output %q: want table or json", output)
}

func newStatusCommand() *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how the agent of this node is doing",
		GroupID: "operate",
		Long: `Show how the agent of this node is doing: the verdict first, then what it reads, what it changes,
what is announced, and what is not as it must be.

Exit codes: 0 all is well, 1 error (no agent answers), 2 degraded, starting or stopped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := o.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			return o.showReport(cmd.OutOrStdout(), report)
		},
	}
	o.addFlags(cmd)
	return cmd
}

// showReport writes a report and turns its verdict into an exit code.
func (o *askOptions) showReport(w io.Writer, report status.Report) error {
	if err := show(w, o.output, report, func(w io.Writer) error { return status.Write(w, report) }); err != nil {
		return err
	}
	if report.Verdict != status.OK {
		return exitCode(exitPending)
	}
	return nil
}
