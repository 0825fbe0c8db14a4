package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/config"
	"ovnbgp/internal/config/file"
)

func newAgentCommand() *cobra.Command {
	var o configOptions
	cmd := &cobra.Command{
		Use:     "agent",
		Short:   "Run the agent of a node",
		Version: version,
		GroupID: "daemon",
		Long: `Run the agent of a node: watch OVN, wire what this node must announce, have it announced.

SIGTERM ends it after the step at hand and tears nothing down. SIGHUP reads the configuration again;
one that is wrong leaves the old in force. Called as ovn-bgp-agent or bgp-agent the program runs this
command, and takes the old agent's flags.

Exit codes: 0 ended by a signal, 1 error (configuration, another agent on the node).`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			reloads := make(chan os.Signal, 1)
			signal.Notify(reloads, syscall.SIGHUP)
			defer signal.Stop(reloads)
			options, err := o.agentOptions(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			options.Reloads = reloads
			return agent.Run(cmd.Context(), options)
		},
	}
	cmd.SetVersionTemplate(versionLine())
	o.addFlags(cmd)
	addOldFlags(cmd)
	return cmd
}

// agentOptions reads the configuration once, for what is needed before the agent reads it itself: the log.
func (o *configOptions) agentOptions(stderr io.Writer) (agent.Options, error) {
	load := func() (file.Result, error) { return file.Load(o.sourcesOrDefault(), false) }
	result, err := load()
	if err != nil {
		return agent.Options{}, err
	}
	log, err := newLogger(stderr, result.Settings.Log)
	if err != nil {
		return agent.Options{}, err
	}
	return agent.Options{Load: load, Version: version, Log: log}, nil
}

// commandOptions are those of a command that does an agent's work once, where none runs.
func (o *configOptions) commandOptions(stderr io.Writer) (agent.Options, error) {
	options, err := o.agentOptions(stderr)
	options.Progress = func(text string) { fmt.Fprintln(stderr, text) }
	return options, err
}

func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// addOldFlags accepts the old agent's flags for its logs, which start lines have and which mean nothing here: logs go
// to standard error.
func addOldFlags(cmd *cobra.Command) {
	const why = "accepted from old start lines; without effect"
	cmd.Flags().BoolP("debug", "d", false, why)
	cmd.Flags().Lookup("debug").Hidden = true
	for _, name := range []string{"verbose", "use-syslog", "use-journal", "watch-log-file", "nodebug"} {
		cmd.Flags().Bool(name, false, why)
		cmd.Flags().Lookup(name).Hidden = true
	}
	for _, name := range []string{"log-file", "log-dir", "log-config-append", "log-date-format", "syslog-log-facility"} {
		cmd.Flags().String(name, "", why)
		cmd.Flags().Lookup(name).Hidden = true
	}
}
