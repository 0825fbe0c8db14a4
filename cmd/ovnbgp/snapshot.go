package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newSnapshotCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "snapshot", Short: "Save what decisions depend on, for plan --from", GroupID: "operate",
		Long: "Save what the agent's decisions depend on. `ovnbgp plan --from FILE` decides from it again, here or on another node."}
	needSubcommand(cmd)
	var ask askOptions
	save := &cobra.Command{
		Use:   "save FILE",
		Short: "Write all that decisions depend on to a file; - is standard output",
		Long: `Write all that decisions depend on to a file: what the OVN databases, the switch and the node say.
` + "`ovnbgp plan --from FILE`" + ` reads it, and it is a test case as it stands. It holds addresses and names
of the cloud, and no secrets.

Exit codes: 0 saved, 1 error.`,
		Args: oneArgument("file", "node1.json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := ask.client().Snapshot(cmd.Context())
			if err != nil {
				return err
			}
			var text bytes.Buffer
			if err := json.Indent(&text, raw, "", " "); err != nil {
				return fmt.Errorf("the agent's answer: %w", err)
			}
			text.WriteByte('\n')
			if args[0] == "-" {
				_, err := text.WriteTo(cmd.OutOrStdout())
				return err
			}
			return os.WriteFile(args[0], text.Bytes(), 0o600)
		},
	}
	ask.addSocketFlag(save)
	cmd.AddCommand(save)
	return cmd
}
