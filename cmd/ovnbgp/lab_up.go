package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ovnbgp/internal/lab"
)

// labUpOptions are the flags of lab up.
type labUpOptions struct {
	*labOptions
	bare, fresh, demo, agent bool
	settings                 string
	mirror, memory, files    string
	with                     []string
	speaker                  string                 // "frr" or "embedded"
	given                    func(flag string) bool // on the command line
}

func newLabUpCommand(shared *labOptions) *cobra.Command {
	o := labUpOptions{labOptions: shared}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the lab; one that runs stays as it is",
		Long: `Start the lab. The steps and their seconds are shown. A lab that runs already stays as it is.

In User-Mode Linux: the image is built when there is none of this recipe (its Debian archive is the one that
this host's apt uses, unless --mirror names another), a guest is booted from it, and in the guest
` + "`ovnbgp lab up --native`" + ` is run. DIR of --files is seen there as /lab/files, live; replace files in it by
rename only.

With --with old-agent the Python ovn-bgp-agent of the same Debian suite is there too, in an image of its own
(100 MB more), to be tried in place of ours: "ovnbgp lab shell compute1", then
"ovn-bgp-agent --config-file /etc/ovn-bgp-agent/bgp-agent.conf". On this kernel it must be installed.

Exit codes: 0 the lab is up, 1 error.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.given = cmd.Flags().Changed
			return runLabUp(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.bare, "bare", false, "only boot the guest, without a fabric (User-Mode Linux)")
	f.BoolVar(&o.fresh, "fresh", false, "end a lab that runs, then start")
	f.BoolVar(&o.demo, "demo", true, "make the demonstration cloud")
	f.BoolVar(&o.agent, "agent", true, "start ovnbgp agent on each chassis")
	f.StringVar(&o.speaker, "speaker", "frr", "who speaks BGP on the nodes: frr, or embedded, without FRR on them")
	f.StringVar(&o.settings, "agent-settings", "", "text to be added to the agents' configuration file")
	f.StringSliceVar(&o.with, "with", nil, "what the image is to have besides: old-agent")
	f.StringVar(&o.mirror, "mirror", os.Getenv("MIRROR"), "URL of a Debian archive for the image (environment: MIRROR)")
	f.StringVar(&o.memory, "memory", "3G", "memory of the guest")
	f.StringVar(&o.files, "files", "", "directory to be seen in the guest as /lab/files")
	// Flags that were just made cannot be unknown.
	_ = cmd.MarkFlagDirname("files")
	_ = cmd.RegisterFlagCompletionFunc("speaker", cobra.FixedCompletions([]string{"frr", "embedded"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("with", cobra.FixedCompletions([]string{"old-agent"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runLabUp(ctx context.Context, o labUpOptions, out io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	native, err := o.chooseNative(out)
	if err != nil {
		return err
	}
	if native {
		o.warnIgnored(out, "the lab runs on this kernel", "bare", "memory", "files", "mirror")
		return upNative(ctx, o, out)
	}
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root: it makes an image and mounts it (try sudo)")
	}
	return upGuest(ctx, o, out)
}

func upNative(ctx context.Context, o labUpOptions, out io.Writer) error {
	if o.fresh {
		if err := lab.NativeDown(ctx, out); err != nil {
			return err
		}
	}
	err := lab.NativeUp(ctx, lab.NativeOptions{Demo: o.demo, Agent: o.agent, AgentConfig: o.settings, Embedded: o.speaker == "embedded"}, out)
	if errors.Is(err, lab.ErrUp) {
		_, err := fmt.Fprintln(out, "the lab is up already: `ovnbgp lab status` shows it")
		o.warnIgnored(out, "it stays as it is; --fresh starts it anew", "agent-settings", "demo", "agent", "speaker")
		return err
	}
	if err != nil || !o.demo || !o.agent {
		return err
	}
	const patience = 2 * time.Minute
	return lab.NativeSummary(ctx, patience, out)
}

func upGuest(ctx context.Context, o labUpOptions, out io.Writer) error {
	g := o.guest()
	if o.fresh {
		if err := g.Down(ctx); err != nil {
			return err
		}
	}
	if g.Running() {
		fmt.Fprintf(out, "guest %q runs already: `ovnbgp lab status` shows it\n", g.Name)
		o.warnIgnored(out, "the guest stays as it is; --fresh starts it anew", o.unlike(g)...)
		if !g.RunsThis() {
			fmt.Fprintln(out, "it runs another build of ovnbgp: --fresh starts it anew with this one")
		}
	} else if err := bootGuest(ctx, o, out); err != nil {
		return err
	}
	if o.bare {
		return nil
	}
	// Only what was given: the program in the guest tells what it ignores.
	argv := []string{g.Program(), "lab", "up", "--native"}
	for _, f := range []struct{ flag, value string }{
		{"demo", fmt.Sprint(o.demo)}, {"agent", fmt.Sprint(o.agent)}, {"agent-settings", o.settings},
		{"speaker", o.speaker},
	} {
		if o.given(f.flag) {
			argv = append(argv, "--"+f.flag+"="+f.value)
		}
	}
	return startEnded(g.Run(ctx, argv, nil, out, os.Stderr))
}

// startEnded is reported for the lab's start in a guest, which is not the user's own command: what ended it is told.
func startEnded(code int, err error) error {
	if err != nil || code <= 128 {
		return reported(code, err)
	}
	hint := ""
	if code == 128+int(syscall.SIGKILL) {
		hint = " (out of memory? --memory gives the guest more)"
	}
	return fmt.Errorf("the lab's start in the guest was ended by signal %d%s: `ovnbgp lab up` starts it anew", code-128, hint)
}

// recipe is that of the image asked for.
func (o labUpOptions) recipe() (lab.Recipe, error) {
	r := lab.DefaultRecipe()
	for _, what := range o.with {
		if what != "old-agent" {
			return r, fmt.Errorf("--with %s: it can only be old-agent", what)
		}
		r = lab.WithOldAgent(r)
	}
	return r, nil
}

func bootGuest(ctx context.Context, o labUpOptions, out io.Writer) error {
	start := time.Now()
	recipe, err := o.recipe()
	if err != nil {
		return err
	}
	image, err := lab.EnsureImage(ctx, lab.ImageOptions{Recipe: recipe, Mirror: o.mirror}, out)
	if err != nil {
		return err
	}
	how := "cached"
	if image.Built {
		how = "built"
	}
	fmt.Fprintf(out, "%-36s %5.1f s  %s: %s\n", "image", time.Since(start).Seconds(), how, image.Manifest)
	start = time.Now()
	if err := o.guest().Boot(ctx, lab.GuestOptions{Image: image, Memory: o.memory, Files: o.files}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%-36s %5.1f s\n", "guest", time.Since(start).Seconds())
	return err
}

// leastMemory is what a guest needs for the fabric and its cloud at the very least.
const leastMemory = 1 << 30

// check refuses what cannot be, before an image is built for it.
func (o labUpOptions) check() error {
	if err := o.guest().Check(); err != nil {
		return err
	}
	if _, err := o.recipe(); err != nil {
		return err
	}
	if o.speaker != "frr" && o.speaker != "embedded" {
		return fmt.Errorf("--speaker %s: it can be frr or embedded", o.speaker)
	}
	bytes, err := parseMemory(o.memory)
	if err != nil {
		return err
	}
	if bytes < leastMemory {
		return fmt.Errorf("--memory %s: the lab needs 1G at least", o.memory)
	}
	if o.files == "" {
		return nil
	}
	info, err := os.Stat(o.files)
	if err != nil {
		return fmt.Errorf("--files: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--files %s: it is not a directory", o.files)
	}
	return nil
}

// parseMemory reads a size as the kernel's command line has it.
func parseMemory(text string) (uint64, error) {
	digits := strings.TrimRight(text, "kKmMgG")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(text)-len(digits) != 1 {
		return 0, fmt.Errorf("--memory %s: want a number and K, M or G, such as 3G", text)
	}
	return n << map[byte]int{'k': 10, 'm': 20, 'g': 30}[text[len(text)-1]|0x20], nil
}

// warnIgnored names those of the flags that were given, and are without effect.
func (o labUpOptions) warnIgnored(out io.Writer, why string, flags ...string) {
	for _, flag := range flags {
		if o.given(flag) {
			fmt.Fprintf(out, "warning: --%s is ignored: %s\n", flag, why)
		}
	}
}

// unlike lists the flags of which a running guest has, as far as is known, something else.
func (o labUpOptions) unlike(g lab.Guest) []string {
	flags := []string{"with", "mirror"}
	s, err := g.Status()
	if err != nil || s.Memory != o.memory {
		flags = append(flags, "memory")
	}
	if dir, absErr := filepath.Abs(o.files); err != nil || absErr != nil || dir != s.Files {
		flags = append(flags, "files")
	}
	return flags
}
