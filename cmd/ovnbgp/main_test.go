package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command's description ends with its exit codes.
func TestHelpTellsExitCodes(t *testing.T) {
	seen := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		seen++
		paragraphs := strings.Split(cmd.Long, "\n\n")
		if last := paragraphs[len(paragraphs)-1]; !strings.HasPrefix(last, exitCodesTitle) || !strings.HasSuffix(last, ".") {
			t.Errorf("%s: its help ends %q", cmd.CommandPath(), last)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
	if seen < 15 {
		t.Errorf("%d commands seen", seen)
	}
}
