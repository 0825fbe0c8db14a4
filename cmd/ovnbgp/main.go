// Command ovnbgp connects clouds that run on OVN to a BGP fabric. This file dispatches; each command has a file of
// its own, in which flags become options and options go to a run function.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of all commands; a command that has more says so in its help.
const (
	exitOK      = 0
	exitError   = 1
	exitPending = 2 // differences, or degraded
)

// exitCode is an error that has been reported already and only sets the process's exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: arguments in, exit code out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(commandArgs(args))
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(stderr, "ovnbgp: %v\n", err)
	return exitError
}

// commandArgs returns the arguments behind the program's name. Called by the old agent's name, as existing unit
// files and container start lines do, the program is `ovnbgp agent`.
func commandArgs(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	oldNames := []string{"ovn-bgp-agent", "bgp-agent"}
	if slices.Contains(oldNames, filepath.Base(args[0])) {
		return append([]string{"agent"}, args[1:]...)
	}
	return args[1:]
}

// needSubcommand makes a command that only groups others refuse what is none of them; alone it shows its help.
func needSubcommand(cmd *cobra.Command) {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ovnbgp",
		Short: "Connect clouds that run on OVN to a BGP fabric",
		Long: `ovnbgp connects clouds that run on OVN (OpenStack first) to a BGP fabric.

An agent on each node watches OVN, works out which addresses the node must announce, wires
traffic between the fabric and OVN, and has the addresses announced.

Exit codes: 0 ok, 1 error, 2 differences or degraded.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.SetVersionTemplate(versionLine())
	root.AddGroup(&cobra.Group{ID: "daemon", Title: "Daemons:"},
		&cobra.Group{ID: "operate", Title: "Operate a node:"},
		&cobra.Group{ID: "lab", Title: "Explore:"})
	root.AddCommand(
		newAgentCommand(),
		newStatusCommand(),
		newExplainCommand(),
		newPlanCommand(),
		newSyncCommand(),
		newDrainCommand(),
		newUndrainCommand(),
		newCleanupCommand(),
		newFRRCommand(),
		newSnapshotCommand(),
		newConfigCommand(),
		newVersionCommand(),
		newLabCommand(),
		newManCommand(),
	)
	refuseUnknownTopics(root)
	tellExitCodes(root)
	return root
}

// refuseUnknownTopics makes help of a command that is not there an error: cobra ends it with exit code 0.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, help := range root.Commands() {
		if help.Name() != "help" {
			continue
		}
		help.Args = func(_ *cobra.Command, args []string) error {
			found, unknown, err := root.Find(args)
			if err == nil && len(unknown) > 0 {
				err = fmt.Errorf("unknown command %q for %q", unknown[0], found.CommandPath())
			}
			return err
		}
	}
}

// tellExitCodes ends each command's help with its exit codes: those of a command that has no more than all have.
func tellExitCodes(cmd *cobra.Command) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	if !strings.Contains(cmd.Long, exitCodesTitle) {
		cmd.Long += "\n\n" + exitCodesTitle + "0 ok, 1 error."
	}
	for _, sub := range cmd.Commands() {
		tellExitCodes(sub)
	}
}

const exitCodesTitle = "Exit codes: "
