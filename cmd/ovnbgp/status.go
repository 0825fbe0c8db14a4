package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/api"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/status"
)

// askOptions are the flags of commands that ask the running agent.
type askOptions struct {
	socket string
	output string
}

func (o *askOptions) addFlags(cmd *cobra.Command) {
	o.addSocketFlag(cmd)
	addOutputFlag(cmd, &o.output)
}

func (o *askOptions) addSocketFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.socket, "socket", "", "the agent's local socket (default: what the configuration says, else "+defaultSocket+")")
}

// client asks at the socket named, else at that of the configuration in its usual place.
func (o *askOptions) client() *api.Client { return o.clientOf(&configOptions{}) }

func (o *askOptions) clientOf(conf *configOptions) *api.Client {
	if o.socket == "" {
		o.socket = conf.socket()
	}
	return api.NewClient(o.socket)
}

// orLook asks the agent and, where none answers, has the command look itself. An agent answers by its own configuration,
// which is told when another is named.
func orLook[T any](cmd *cobra.Command, ask *askOptions, conf *configOptions, request func(*api.Client) (T, error),
	look func(agent.Options) (T, error)) (T, error) {
	var none T
	if len(conf.sources) > 0 {
		if _, err := file.Load(conf.sources, false); err != nil {
			return none, err
		}
	}
	answer, err := request(ask.clientOf(conf))
	if !errors.Is(err, api.ErrNoAgent) {
		if err == nil && len(conf.sources) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "the agent at %s answers, by its own configuration\n", ask.socket)
		}
		return answer, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "no agent answers at %s: looking here, read only\n", ask.socket)
	options, err := conf.commandOptions(cmd.ErrOrStderr())
	if err != nil {
		return none, err
	}
	return look(options)
}

const defaultSocket = "/run/ovnbgp/agent.sock"

func addOutputFlag(cmd *cobra.Command, output *string) {
	*output = "table"
	cmd.Flags().VarP((*format)(output), "output", "o", "table or json")
	// A flag that this function has just made cannot be unknown.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// format is how a command prints. What it does not know is refused before the command has done anything.
type format string

func (f *format) String() string { return string(*f) }

// Type is what the help calls the flag's value.
func (f *format) Type() string { return "format" }

func (f *format) Set(text string) error {
	if text != "table" && text != "json" {
		return errors.New("want table or json")
	}
	*f = format(text)
	return nil
}

// show writes a value as JSON, or for people by a function of its own.
func show(w io.Writer, output string, value any, table func(io.Writer) error) error {
	if output != "json" {
		return table(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
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
		Args: noArguments,
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
