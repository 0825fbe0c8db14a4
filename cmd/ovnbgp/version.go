package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{version, runtime.Version()}
			return show(cmd.OutOrStdout(), output, v, func(w io.Writer) error {
				_, err := io.WriteString(w, versionLine())
				return err
			})
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

// versionLine is what --version prints, too, which the old agent has.
func versionLine() string { return fmt.Sprintf("ovnbgp %s (%s)\n", version, runtime.Version()) }
