package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ovnbgp/internal/lab"
)

// labHost names the guest itself where a node is asked for.
const labHost = "host"

// labOptions are what all lab commands share: which lab, and on which kernel.
type labOptions struct {
	name        string
	native, uml bool
}

func newLabCommand() *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:     "lab",
		Short:   "A whole fabric on this machine, to explore and to test",
		GroupID: "lab",
		Long: `Build a fabric with real OVN, Open vSwitch and FRR on this machine: a leaf, an outside host, two
computes, two gateways and OVN's databases, an agent on each chassis, and a small cloud on it.

On a kernel that has vrf, dummy, 8021q and tun the lab runs on it (--native; OVN, Open vSwitch and FRR
must be installed). Elsewhere it runs in User-Mode Linux (--uml), from an image that is built once out of
Debian packages; that needs root, 1.2 GB of disk and 3 GB of memory, and changes nothing outside of
/var/cache/ovnbgp/lab (OVNBGP_LAB_CACHE) and /run/ovnbgp/lab.`,
	}
	cmd.PersistentFlags().StringVar(&o.name, "name", "lab", "which lab: several may run in User-Mode Linux at once")
	cmd.PersistentFlags().BoolVar(&o.native, "native", false, "use this kernel")
	cmd.PersistentFlags().BoolVar(&o.uml, "uml", false, "use User-Mode Linux")
	cmd.MarkFlagsMutuallyExclusive("native", "uml")
	needSubcommand(cmd)
	cmd.AddCommand(newLabUpCommand(&o), newLabDownCommand(&o), newLabShellCommand(&o), newLabRunCommand(&o),
		newLabStatusCommand(&o), newLabServeCommand(&o))
	cmd.AddCommand(newLabInnerCommands()...)
	return cmd
}

func (o labOptions) guest() lab.Guest { return lab.Guest{Name: o.name} }

// onThisKernel says where a lab that is there already runs.
func (o labOptions) onThisKernel() bool {
	if o.native || o.uml {
		return o.native
	}
	if o.guest().Exists() {
		return false
	}
	_, err := lab.OpenFabric()
	return err == nil
}

// chooseNative says where a new lab is to run, and on out why.
func (o labOptions) chooseNative(out io.Writer) (bool, error) {
	if o.native || o.uml {
		return o.native, nil
	}
	if o.guest().Running() {
		return false, nil
	}
	misses, err := lab.KernelMisses()
	if err != nil {
		return false, err
	}
	if len(misses) > 0 {
		fmt.Fprintf(out, "this kernel lacks %s: the lab runs in User-Mode Linux\n", strings.Join(misses, ", "))
		return false, nil
	}
	fmt.Fprintln(out, "this kernel has all that the lab needs: it runs natively")
	return true, nil
}

// reported turns a command's exit code into ours.
func reported(code int, err error) error {
	switch {
	case err != nil && code == 0:
		return err
	case err != nil:
		fmt.Fprintf(os.Stderr, "ovnbgp: %v\n", err)
		return exitCode(code)
	case code != 0:
		return exitCode(code)
	}
	return nil
}

func newLabDownCommand(o *labOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the lab and remove what it made; the image stays",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, out := cmd.Context(), cmd.OutOrStdout()
			if o.onThisKernel() {
				return lab.NativeDown(ctx, out)
			}
			if !o.guest().Exists() {
				_, err := fmt.Fprintln(out, o.guest().NotUp())
				return err
			}
			if err := o.guest().Down(ctx); err != nil {
				return err
			}
			_, err := fmt.Fprintln(out, "the lab is down")
			return err
		},
	}
}

func newLabShellCommand(o *labOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "shell [NODE]",
		Short: "A shell in a node, or in the guest that has the nodes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("lab shell takes one node, or none, not %d: %s compute1", len(args), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			node := labHost
			if len(args) > 0 {
				node = args[0]
			}
			return reported(runInLab(cmd.Context(), *o, node, []string{"bash"}))
		},
	}
}

func newLabRunCommand(o *labOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run NODE -- COMMAND [ARGUMENT...]",
		Short: "Run a command in a node; \"host\" is the guest that has the nodes",
		Long: `Run a command in a node, with this command's standard input and output. The node "host" is the guest
itself, outside of any node.

Exit codes: the command's own; 128 and a signal's number when that ended it; 126 or 127 when it could not
be started; 1 when there is no lab.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("lab run takes a node and a command: %s compute1 -- ovnbgp status", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := args[1:]
			if argv[0] == "--" && len(argv) > 1 {
				argv = argv[1:]
			}
			return reported(runInLab(cmd.Context(), *o, args[0], argv))
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// completeNode completes a node's name, the first argument; all labs have the same nodes.
func completeNode(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	nodes := []string{labHost}
	for _, n := range lab.DefaultTopology().Nodes {
		nodes = append(nodes, n.Name)
	}
	others := func(name string) bool { return !strings.HasPrefix(name, begun) }
	return slices.DeleteFunc(nodes, others), cobra.ShellCompDirectiveNoFileComp
}

func runInLab(ctx context.Context, o labOptions, node string, argv []string) (int, error) {
	if o.onThisKernel() {
		return lab.NativeRun(ctx, node, argv)
	}
	g := o.guest()
	if node != labHost {
		argv = append([]string{g.Program(), "lab", "run", "--native", node, "--"}, argv...)
	}
	return g.Attach(ctx, argv)
}

func newLabStatusCommand(o *labOptions) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the lab: versions, nodes, agents",
		Long: `Show the lab: versions, nodes, agents.

Exit codes: 0 it is up, 1 error, or there is no lab.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, out := cmd.Context(), cmd.OutOrStdout()
			if o.onThisKernel() {
				status, err := lab.NativeStatus(ctx)
				if err != nil {
					return err
				}
				return show(out, output, status, func(w io.Writer) error { return printLab(w, status) })
			}
			return guestStatus(ctx, o.guest(), output, out)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

// guestStatus shows the guest and then, in the words of the program in it, the fabric.
func guestStatus(ctx context.Context, g lab.Guest, output string, out io.Writer) error {
	status, err := g.Status()
	if err != nil {
		return err
	}
	both := struct {
		Guest  lab.GuestStatus
		Fabric json.RawMessage `json:",omitempty"`
	}{Guest: status}
	var fabric, complaint strings.Builder
	code := 1
	if status.Running {
		argv := []string{g.Program(), "lab", "status", "--native", "-o", output}
		if code, err = g.Run(ctx, argv, nil, &fabric, &complaint); err != nil {
			return err
		}
	}
	if code == 0 {
		both.Fabric = json.RawMessage(fabric.String())
	}
	return show(out, output, both, func(w io.Writer) error {
		printGuest(w, status)
		_, err := io.WriteString(w, fabric.String()+complaint.String())
		return err
	})
}

func printGuest(w io.Writer, s lab.GuestStatus) {
	state := "running since " + s.Started.Format(time.DateTime)
	if !s.Running {
		state = "dead; its console is in " + s.Console
	}
	fmt.Fprintf(w, "guest    %s: %s\n", s.Name, state)
	fmt.Fprintf(w, "kernel   Linux %s, memory %s\n", s.Kernel, s.Memory)
	fmt.Fprintf(w, "image    %s: %s\n", s.Image, s.Contents)
	fmt.Fprintf(w, "files    %s is /lab/files\n\n", s.Files)
}

func printLab(out io.Writer, s lab.Status) error {
	fmt.Fprintf(out, "kernel %s, OVN %s, OVS %s, FRR %s\n\n", s.Kernel, s.OVN, s.OVS, s.FRR)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tROLE\tPID\tAGENT\tLOOPBACKS")
	for _, n := range s.Nodes {
		agent := "-"
		if n.AgentPid > 0 {
			agent = fmt.Sprint(n.AgentPid)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", n.Name, n.Role, n.Pid, agent, strings.Join(n.Loopbacks, " "))
	}
	return w.Flush()
}

// newLabServeCommand is the process behind a guest; lab up starts it.
func newLabServeCommand(shared *labOptions) *cobra.Command {
	var o lab.ServeOptions
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Boot a guest and serve jobs in it (started by lab up)",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Name = shared.name
			return lab.RunServe(cmd.Context(), o, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
		},
	}
	cmd.Flags().StringVar(&o.Image, "image", "", "directory of the image")
	cmd.Flags().StringVar(&o.Memory, "memory", "", "memory of the guest")
	cmd.Flags().StringVar(&o.Files, "files", "", "directory to be seen as /lab/files")
	return cmd
}

// newLabInnerCommands are what the lab starts of itself: in the guest, in nodes, in virtual machines.
func newLabInnerCommands() []*cobra.Command {
	inner := func(use, short string, args int, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short + " (started by the lab)", Hidden: true, Args: cobra.ExactArgs(args), RunE: run}
	}
	first := inner("init", "PID 1 of a guest", 0, func(cmd *cobra.Command, _ []string) error { return lab.RunInit(cmd.ErrOrStderr()) })
	first.Args = cobra.ArbitraryArgs // the kernel repeats its arguments
	return []*cobra.Command{
		first,
		inner("jobs", "Run jobs in a guest", 0, func(cmd *cobra.Command, _ []string) error { return lab.RunJobs(cmd.Context()) }),
		inner("node NAME DIR", "PID 1 of a node", 2, func(_ *cobra.Command, args []string) error { return lab.NodeInit(args[0], args[1]) }),
		inner("banner NAME", "A virtual machine's service", 1, func(cmd *cobra.Command, args []string) error {
			return lab.Banner(cmd.Context(), args[0])
		}),
		inner("neutron", "Stand in for Neutron", 0, func(cmd *cobra.Command, _ []string) error { return lab.Neutron(cmd.Context()) }),
	}
}
