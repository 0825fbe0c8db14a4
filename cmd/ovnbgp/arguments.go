package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// noArguments refuses arguments in words of our own: cobra takes them for commands that it does not know.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no argument, not %d: %s", shortPath(cmd), len(args), cmd.CommandPath())
}

// oneArgument wants one of what, and shows how that looks.
func oneArgument(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fmt.Errorf("%s takes one %s, not %d: %s %s", shortPath(cmd), what, len(args), cmd.CommandPath(), example)
	}
}

// shortPath is a command's name without the program's: "snapshot save".
func shortPath(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}
