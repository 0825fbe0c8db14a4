package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/apply/frr"
)

func newFRRCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "frr",
		Short:   "Show what FRR would run with in mode managed",
		GroupID: "operate",
		Long: `Show what FRR would run with if its configuration were the agent's ([bgp] frr_mode = managed). Nothing is
changed, whatever mode is set.`,
	}
	needSubcommand(cmd)
	cmd.AddCommand(newFRRRenderCommand(), newFRRDiffCommand())
	return cmd
}

func newFRRRenderCommand() *cobra.Command {
	var conf configOptions
	var output, version string
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print the configuration that FRR would run with",
		Long: `Print the configuration that FRR would run with in mode managed, as its own ` + "`show running-config`" + ` would
print it. Passwords are hidden.

Exit codes: 0 printed, 1 error (the configuration, or what no FRR could run with).`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := conf.agentOptions(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			config, err := agent.RenderFRR(cmd.Context(), options, version)
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), output, config, func(w io.Writer) error {
				for _, text := range append([]string{config.Note}, config.Lacks...) {
					if text != "" {
						fmt.Fprintln(cmd.ErrOrStderr(), "ovnbgp:", text)
					}
				}
				_, err := io.WriteString(w, config.Text)
				return err
			})
		},
	}
	conf.addFlags(cmd)
	addOutputFlag(cmd, &output)
	cmd.Flags().StringVar(&version, "frr-version", "", `for this FRR ("8.4") instead of the running one`)
	return cmd
}

func newFRRDiffCommand() *cobra.Command {
	var conf configOptions
	var output string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Compare the running FRR with what it would run with",
		Long: `Compare the running FRR with what it would run with in mode managed: each statement that would come, go or be
another, and why. Passwords are hidden.

Exit codes: 0 no difference, 1 error, 2 differences.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := conf.agentOptions(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			options.Progress = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "ovnbgp:", text) }
			c, err := agent.DiffFRR(cmd.Context(), options)
			if err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), output, c, func(w io.Writer) error { return writeDiff(w, c) }); err != nil {
				return err
			}
			if len(c.Statements) > 0 {
				return exitCode(exitPending)
			}
			return nil
		},
	}
	conf.addFlags(cmd)
	addOutputFlag(cmd, &output)
	return cmd
}

// writeDiff prints each statement under what it stands in.
func writeDiff(w io.Writer, c frr.Comparison) error {
	var out strings.Builder
	fmt.Fprintf(&out, "FRR %s\n", c.Version)
	var last []string
	for _, s := range c.Statements {
		common := 0
		for common < min(len(last), len(s.Path)) && last[common] == s.Path[common] {
			common++
		}
		for i, header := range s.Path[common:] {
			fmt.Fprintf(&out, "  %s%s\n", strings.Repeat(" ", common+i), header)
		}
		last = s.Path
		indent := strings.Repeat(" ", len(s.Path))
		if s.Old != "" {
			fmt.Fprintf(&out, "- %s%s\n", indent, s.Old)
		}
		sign := "+"
		if s.Verb == "remove" {
			sign = "-"
		}
		fmt.Fprintf(&out, "%s %s%s  # %s\n", sign, indent, s.Line, s.Why)
	}
	for _, l := range c.Lacks {
		fmt.Fprintln(&out, "! "+l)
	}
	fmt.Fprintf(&out, "%d statements differ\n", len(c.Statements))
	_, err := io.WriteString(w, out.String())
	return err
}
