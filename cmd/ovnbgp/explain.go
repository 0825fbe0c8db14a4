package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"ovnbgp/internal/agent"
	"ovnbgp/internal/api"
	"ovnbgp/internal/explain"
)

func newExplainCommand() *cobra.Command {
	var o askOptions
	var conf configOptions
	cmd := &cobra.Command{
		Use:     "explain ADDRESS",
		Short:   "Say why an address is, or is not, announced by this node",
		GroupID: "operate",
		Long: `Say why an address is, or is not, announced by this node, in order: is it known to OVN, is it wanted
here, is what carries it built, is it announced. Where it belongs to another node, that node is named. The running agent is
asked; where none runs, the databases and the node are looked at here, read only.

Exit codes: 0 announced here, 1 error, 2 not announced here, or not known.`,
		Example: "  ovnbgp explain 203.0.113.9\n  ovnbgp explain 2001:db8::9 -o json",
		Args:    oneArgument("address", "203.0.113.9"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			if strings.Contains(args[0], "%") {
				fmt.Fprintf(cmd.ErrOrStderr(), "ovnbgp: the zone of %s is not looked at: OVN knows none\n", args[0])
			}
			answer, err := explainOf(cmd, o, conf, address)
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
	conf.addFlags(cmd)
	return cmd
}

// explainOf asks the agent, or looks itself.
func explainOf(cmd *cobra.Command, ask askOptions, conf configOptions, address netip.Addr) (explain.Answer, error) {
	ctx := cmd.Context()
	return orLook(cmd, &ask, &conf, func(c *api.Client) (explain.Answer, error) { return c.Explain(ctx, address.String()) },
		func(o agent.Options) (explain.Answer, error) { return agent.Explain(ctx, o, address) })
}

// parseAddress reads an address, or a host's prefix as BGP daemons and the status write it.
func parseAddress(text string) (netip.Addr, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if !p.IsSingleIP() {
			return netip.Addr{}, fmt.Errorf("%s is a network: name one address in it", text)
		}
		return p.Addr(), nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", text)
	}
	return address.WithZone(""), nil // OVN knows none
}

// announcedHere tells whether the last question, "announced?", has yes for an answer.
func announcedHere(a explain.Answer) bool {
	return len(a.Checks) > 0 && a.Checks[len(a.Checks)-1].Result == explain.Yes
}
