package main

import (
	"errors"

	"github.com/spf13/cobra"

	"ovnbgp/internal/api"
)

func newSyncCommand() *cobra.Command {
	var o askOptions
	var ask api.SyncRequest
	cmd := &cobra.Command{
		Use:     "sync",
		Short:   "Have the agent read everything again and mend what differs",
		GroupID: "operate",
		Long: `Have the agent read everything again, kernel, switch and FRR too, and mend what differs.

With --accept-withdrawals it also lets go of withdrawals that the guard holds: exactly the set that
the hash names, which ` + "`ovnbgp status`" + ` shows. Root only.

Exit codes: 0 all is well after it, 1 error, 2 something is left (see status).`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("accept-withdrawals") && ask.AcceptWithdrawals == "" {
				return errors.New("--accept-withdrawals is empty: it takes the hash that `ovnbgp status` shows")
			}
			report, err := o.client().Sync(cmd.Context(), ask)
			if err != nil {
				return err
			}
			return o.showReport(cmd.OutOrStdout(), report)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&ask.AcceptWithdrawals, "accept-withdrawals", "", "release the held withdrawals this hash names")
	return cmd
}
