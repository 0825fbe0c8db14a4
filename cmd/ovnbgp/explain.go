package main

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"ovnbgp/internal/explain"
)

func newExplainCommand() *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:     "explain ADDRESS",
		Short:   "Say why an address is, or is not, announced by this node",
		GroupID: "operate",
		Long: `Say why an address is, or is not, announced by this node, in order: is it known to OVN, is it wanted
here, is what carries it built, is it announced. Where it belongs to another node, that node is named.

Exit codes: 0 announced here, 1 error, 2 not announced here.`,
		Example: "  ovnbgp explain 203.0.113.9\n  ovnbgp explain 2001:db8::9 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := netip.ParseAddr(args[0])
			if err != nil {
				return fmt.Errorf("%q is not an IP address", args[0])
			}
			answer, err := o.client().Explain(cmd.Context(), address.String())
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return answer.Write(w) }
			if err := show(cmd.OutOrStdout(), o.output, answer, write); err != nil {
				return err
			}
			if !announcedHere(answer) {
				return exitCode(exitPending)
			}
			return nil
		},
	}
	o.addFlags(cmd)
	return cmd
}

// announcedHere tells whether the last question, "announced?", has yes for an answer.
func announcedHere(a explain.Answer) bool {
	return len(a.Checks) > 0 && a.Checks[len(a.Checks)-1].Result == explain.Yes
}
