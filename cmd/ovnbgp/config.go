package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"ovnbgp/internal/config/file"
)

// configOptions are the flags by which a configuration is named, the old agent's too.
type configOptions struct {
	sources []file.Source
}

// sourceFlag collects --config-file and --config-dir in the order of the command line, because later ones win.
type sourceFlag struct {
	sources *[]file.Source
	dir     bool
}

func (f sourceFlag) String() string { return "" }

func (f sourceFlag) Type() string { return "path" }

func (f sourceFlag) Set(path string) error {
	if path == "" { // an unset variable
		return errors.New("it names no path")
	}
	*f.sources = append(*f.sources, file.Source{Path: path, Dir: f.dir})
	return nil
}

func (o *configOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().Var(sourceFlag{&o.sources, false}, "config-file", "configuration file; may be repeated, later ones win (default: the directory /etc/ovn-bgp-agent)")
	cmd.Flags().Var(sourceFlag{&o.sources, true}, "config-dir", "directory of *.conf files, read in order of their names")
	_ = cmd.MarkFlagDirname("config-dir") // a flag that was just made cannot be unknown
}

// sourcesOrDefault returns what the flags name, else the old agent's directory.
func (o *configOptions) sourcesOrDefault() []file.Source {
	if len(o.sources) > 0 {
		return o.sources
	}
	return []file.Source{{Path: "/etc/ovn-bgp-agent", Dir: true}}
}

// socket is where the agent of this configuration answers. A configuration that cannot be read says nothing of it; what is
// wrong with it is said by who needs it.
func (o *configOptions) socket() string {
	result, err := file.Load(o.sourcesOrDefault(), false)
	if err != nil {
		return defaultSocket
	}
	return result.Settings.Paths.APISocket
}

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration, print the reference", GroupID: "operate"}
	needSubcommand(cmd)
	cmd.AddCommand(newConfigCheckCommand(), newConfigReferenceCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	var o configOptions
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read a configuration and say what is wrong with it",
		Long: `Read a configuration as the agent would and say what is wrong with it: mistakes are refused, options
nobody knows are warned about, and what is not built yet is named. Keys and certificates of ssl: connections
are opened. The files that were read are named. A file may be /dev/stdin, or what the shell makes of <(command).

Exit codes: 0 the agent would start, 1 it would not, or could not connect.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sources := slices.Clone(o.sourcesOrDefault())
			for i := range sources {
				sources[i].Pipe = true
			}
			result, err := file.Load(sources, strict)
			if err != nil {
				return err
			}
			for _, w := range result.Warnings {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w)
			}
			if err := result.Usable(); err != nil {
				return err
			}
			for _, path := range result.Files {
				fmt.Fprintf(cmd.OutOrStdout(), "read %s\n", path)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "refuse what is only warned about")
	return cmd
}

func newConfigReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print every option with its default and meaning",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), file.Reference())
			return err
		},
	}
}
