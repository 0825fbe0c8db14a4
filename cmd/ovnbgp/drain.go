package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ovnbgp/internal/api"
)

// drainOptions say how a node is drained.
type drainOptions struct {
	askOptions
	wait    bool
	timeout time.Duration
}

func newDrainCommand() *cobra.Command {
	var o drainOptions
	cmd := &cobra.Command{
		Use:     "drain",
		Short:   "Ask the fabric to send traffic for this node's addresses elsewhere",
		GroupID: "operate",
		Long: `Ask the fabric to send traffic for this node's addresses elsewhere: everything is announced with the community
graceful-shutdown (65535:0), to internal peers with local preference 0. Nothing is withdrawn, no session is reset: where there is
no other way, traffic comes here as before. It stays so, across restarts and reboots, until ` + "`ovnbgp undrain`" + `. Root only.

With --wait it returns when every peer with a session has been told, by the record that the node's own speaker keeps of
what it sends to each (Adj-RIB-Out), FRR or the one built in. What a peer makes of it is not asked.

Exit codes: 0 the node is drained (with --wait: every peer has been told), 1 error (no agent answers, not root),
2 with --wait: the node is drained, and not every peer had been told when the time was up, or none has a session.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.timeout <= 0 {
				return fmt.Errorf("--timeout %s: must be longer than nothing, as 1m", o.timeout)
			}
			return o.runDrain(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.wait, "wait", false, "return when every peer has been told")
	cmd.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "with --wait: wait at most this long")
	return cmd
}

func newUndrainCommand() *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:     "undrain",
		Short:   "End what drain began",
		GroupID: "operate",
		Long: `End what ` + "`ovnbgp drain`" + ` began: everything is announced as before. A "bgp graceful-shutdown" that stands in FRR's own
configuration stays, and ` + "`ovnbgp status`" + ` names it. Root only.

Exit codes: 0 the node is drained no more, 1 error (no agent answers, not root).`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.client().SetDrained(cmd.Context(), api.DrainRequest{}); err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), o.output, api.DrainState{}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "the node is drained no more")
				return err
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *drainOptions) runDrain(ctx context.Context, stdout, stderr io.Writer) error {
	client := o.client()
	if err := client.SetDrained(ctx, api.DrainRequest{Drained: true}); err != nil {
		return err
	}
	if !o.wait {
		state, err := client.Drain(ctx)
		if err != nil {
			return fmt.Errorf("the node is drained; who has been told is not known: %w", err)
		}
		return show(stdout, o.output, state, func(w io.Writer) error { return writeDrain(w, state, nil) })
	}
	begin := time.Now()
	state, err := waitDrained(ctx, client, o.timeout, stderr)
	if e := show(stdout, o.output, state, func(w io.Writer) error { return writeDrain(w, state, err) }); e != nil {
		return e
	}
	if err != nil {
		fmt.Fprintf(stderr, "ovnbgp: after %s: %v\n", time.Since(begin).Round(time.Second), err)
		return exitCode(exitPending)
	}
	return nil
}

// errNotKnown is the error of a drain whose progress could not be asked for.
var errNotKnown = errors.New("it is not known who has been told")

// waitDrained asks until every peer has been told, and says each second what is missing. What could not be asked is asked
// again: a BGP daemon may be starting.
func waitDrained(ctx context.Context, client *api.Client, limit time.Duration, progress io.Writer) (api.DrainState, error) {
	const pause = 200 * time.Millisecond
	begin, told, since := time.Now(), time.Now(), time.Time{}
	for {
		state, err := client.Drain(ctx)
		waiting := state.Waiting()
		switch {
		case err != nil: // that it is drained is known, from when it was asked for
			state = api.DrainState{Drained: true, Since: since}
			if time.Since(begin) >= limit || ctx.Err() != nil {
				return state, fmt.Errorf("the node is drained; %w: %w", errNotKnown, err)
			}
			waiting = fmt.Sprintf("%v: %v", errNotKnown, err)
		case !state.Drained:
			return state, errors.New("somebody ended the drain")
		case waiting == "":
			return state, nil
		default:
			since = state.Since
		}
		if time.Since(begin) >= limit || ctx.Err() != nil {
			return state, fmt.Errorf("the node is drained, and not every peer has been told: %s", waiting)
		}
		if time.Since(told) >= time.Second {
			told = time.Now()
			fmt.Fprintf(progress, "%3.0f s: %s\n", time.Since(begin).Seconds(), waiting)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// writeDrain prints how far a drain has come, and where it was waited for what came of that.
func writeDrain(w io.Writer, s api.DrainState, outcome error) error {
	var b strings.Builder
	begin, what := "drained", s.Waiting()
	if !s.Since.IsZero() {
		begin = "drained since " + s.Since.Format(time.RFC3339)
	}
	switch {
	case !s.Drained:
		begin, what = "not drained", "somebody ended the drain"
	case errors.Is(outcome, errNotKnown):
		what = errNotKnown.Error()
	case what == "":
		what = "every peer has been told"
	}
	fmt.Fprintf(&b, "%s: %s\n", begin, what)
	if len(s.Peers) > 0 {
		b.WriteString("\nPEER\tFAMILY\tSESSION\tTOLD\n")
	}
	for _, p := range s.Peers {
		session := map[bool]string{true: "up", false: "down"}[p.Up]
		fmt.Fprintf(&b, "%s\t%s\t%s\t%d of %d\n", p.Peer, p.Family, session, p.Drained, p.Drained+p.Left)
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(columns, b.String()); err != nil {
		return err
	}
	return columns.Flush()
}
