package frr

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Mode says what of FRR's configuration is ours.
type Mode string

// Modes.
const (
	Assist  Mode = "assist"  // the leak alone; the zero value means the same
	Managed Mode = "managed" // all of it, and FRR's files
	Observe Mode = "observe" // nothing; what is missing is a finding
)

// target is what FRR must run with, and what it does.
type target struct {
	config  text.Config
	version text.Version
	running text.Running
	diff    text.Difference
	files   []staleFile
}

// planManaged compares the whole configuration.
func (a *Applier) planManaged(ctx context.Context, want model.Node) ([]plan.Step, error) {
	version, err := a.version(ctx)
	if err != nil {
		return nil, err
	}
	config, err := text.Render(want, version)
	if err != nil {
		return nil, fmt.Errorf("the configuration for FRR cannot be made: %w", err)
	}
	key := digest(config)
	if a.isFound(key) {
		return nil, nil
	}
	change := a.changes()
	t, err := a.compareAll(ctx, config, version)
	if err != nil {
		return nil, err
	}
	a.lacking(config.Lacks)
	if steps := a.managedSteps(want, t); len(steps) > 0 {
		return steps, nil
	}
	return a.leakSteps(ctx, want, key, change)
}

// leakSteps judges the leak by its effect, once all statements are there.
func (a *Applier) leakSteps(ctx context.Context, want model.Node, key string, change uint64) ([]plan.Step, error) {
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return nil, err
	}
	a.notePermanent(have)
	if want.Leak.VRF == "" {
		a.keepFound(key, change)
		return nil, nil
	}
	effect, err := a.effect(ctx, want, have)
	if err != nil {
		return nil, err
	}
	if !a.judge(effect) {
		if effect.good() {
			a.keepFound(key, change)
		}
		return nil, nil
	}
	return []plan.Step{a.mendingManaged(want, effect)}, nil
}

func digest(c text.Config) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text.Format(c.Ours)+"\n!\n"+text.Format(c.Raw))))
}

func (a *Applier) compareAll(ctx context.Context, config text.Config, version text.Version) (target, error) {
	running, err := a.readAll(ctx)
	if err != nil {
		return target{}, err
	}
	if err := traditional(running); err != nil {
		return target{}, err
	}
	t := target{config: config, version: version, running: running, diff: text.Diff(config, running)}
	t.files, err = a.staleFiles(config, running)
	return t, err
}

// traditional refuses an FRR whose own settings are others than those that Render leaves out.
func traditional(running text.Running) error {
	for _, b := range running[text.BGP] {
		if profile, is := strings.CutPrefix(b.Line, "frr defaults "); is && profile != "traditional" {
			return fmt.Errorf("FRR runs with the defaults %q, and managed mode needs traditional: write `frr defaults traditional` "+
				"into frr.conf and restart FRR", profile)
		}
	}
	return nil
}

// managedSteps returns at most one step that adds and changes, statements and files, and apart from it those that take
// away: an entry of a list of announced prefixes alone with its key, all else as one.
func (a *Applier) managedSteps(want model.Node, t target) []plan.Step {
	var steps []plan.Step
	added := changesBy(t.diff, func(c text.Change) bool { return c.Verb != text.Remove })
	if len(added) > 0 || len(t.files) > 0 {
		step := plan.Step{Verb: plan.Update, Object: describe(added, t.files), Why: "the configuration of BGP",
			Do: func(ctx context.Context) error { return a.update(ctx, want) }}
		if len(added) == 0 || !slices.ContainsFunc(added, announces) {
			step.Serves = []string{} // it hands no announcement on
		}
		steps = append(steps, step)
	}
	removed := changesBy(t.diff, func(c text.Change) bool { return c.Verb == text.Remove })
	var others []text.Change
	members := map[string][]text.Change{}
	var order []string
	for _, c := range removed {
		prefix, is := text.Member(c)
		if !is {
			others = append(others, c)
			continue
		}
		key := model.Key(want.Leak.VRF, prefix)
		if members[key] == nil {
			order = append(order, key)
		}
		members[key] = append(members[key], c)
	}
	for _, key := range order {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: describe(members[key], nil), Serves: []string{key},
			Why: "the prefix is announced no more, or with other attributes",
			Do:  func(ctx context.Context) error { return a.forgetMember(ctx, t.diff, members[key]) }})
	}
	if len(others) > 0 {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: describe(others, nil), Why: "not in the configuration of BGP",
			Do: func(ctx context.Context) error { return a.remove(ctx, want) }})
	}
	return steps
}

// announces tells whether a statement could make FRR tell what it did not: one that is held back must wait for it.
func announces(c text.Change) bool {
	return c.Line != "bgp graceful-shutdown" && !strings.HasPrefix(strings.Join(append(slices.Clone(c.Path), c.Line), " "), "bfd")
}

func changesBy(d text.Difference, keep func(text.Change) bool) []text.Change {
	var list []text.Change
	for _, c := range d.Changes {
		if keep(c) {
			list = append(list, c)
		}
	}
	return list
}

// describe is a step's text: a few statements, and how many more. Secrets are hidden.
func describe(changes []text.Change, files []staleFile) string {
	const shown = 3
	var parts []string
	for _, c := range changes {
		if c.Implied && c.Verb != text.Remove {
			continue
		}
		sign := "+"
		if c.Verb == text.Remove {
			sign = "-"
		}
		if part := sign + text.Redact(c.Line); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if more := len(parts) - shown; more > 0 {
		parts = append(parts[:shown], fmt.Sprintf("and %d more", more))
	}
	out := "configuration " + strings.Join(parts, ", ")
	if len(parts) == 0 {
		out = ""
	}
	for _, f := range files {
		out += ", file " + f.path
	}
	return strings.TrimPrefix(out, ", ")
}

// update looks again, sees that the files can be written, has FRR check the text, tells the daemons, looks whether all of
// it is there, and writes the files.
func (a *Applier) update(ctx context.Context, want model.Node) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t, err := a.again(ctx, want)
	if err != nil {
		return err
	}
	if err := a.mayApply(digest(t.config)); err != nil {
		return err
	}
	if err := a.readyFiles(t); err != nil {
		return err
	}
	if err := namingRaw(want.BGP, a.tell(ctx, t)); err != nil {
		a.failed(digest(t.config), err)
		return err
	}
	if t, err = a.again(ctx, want); err != nil {
		return err
	}
	if left := changesBy(t.diff, func(c text.Change) bool { return c.Verb != text.Remove }); len(left) > 0 {
		err := fmt.Errorf("FRR took all statements, but its configuration still lacks %s", describe(left, nil))
		if left[0].Daemon == "" {
			err = fmt.Errorf("%w: write raw lines as `show running-config` prints them", err)
		}
		a.failed(digest(t.config), err)
		return err
	}
	a.failed("", nil)
	return a.writeFiles(t.files)
}

func (a *Applier) again(ctx context.Context, want model.Node) (target, error) {
	version, err := a.version(ctx)
	if err != nil {
		return target{}, err
	}
	config, err := text.Render(want, version)
	if err != nil {
		return target{}, err
	}
	return a.compareAll(ctx, config, version)
}

// tell brings the additions and changes to the daemons.
func (a *Applier) tell(ctx context.Context, t target) error {
	batches, raw := t.diff.Updating(), t.diff.Raw()
	if len(batches) == 0 && raw == "" {
		return nil
	}
	if err := a.checkSyntax(ctx, t.config); err != nil {
		return err
	}
	if err := a.configure(ctx, batches); err != nil {
		return err
	}
	if raw == "" {
		return nil
	}
	return a.vtysh(ctx, raw)
}

// namingRaw puts the place of the first raw line that FRR refuses before its words, which count lines of another file.
func namingRaw(b model.BGP, err error) error {
	if err == nil {
		return nil
	}
	for _, part := range strings.Split(err.Error(), "; ") {
		for i, line := range b.Raw {
			statement := text.Redact(strings.Trim(line, " \t\r"))
			if statement != "" && strings.Contains(part, "line ") && strings.HasSuffix(part, " "+statement) {
				return fmt.Errorf("%s: raw line %q: %w", text.RawAt(b, i), statement, err)
			}
		}
	}
	return err
}

// configure sends batches, each to the daemon that holds such statements. What is zebra's mgmtd takes, since FRR 10.
func (a *Applier) configure(ctx context.Context, batches []text.Batch) error {
	for _, b := range batches {
		err := errNoDaemon
		if b.Daemon == text.Zebra {
			err = a.configureBy(ctx, text.Mgmt, b)
		}
		if errors.Is(err, errNoDaemon) || isUnknown(err) {
			err = a.configureBy(ctx, b.Daemon, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Applier) configureBy(ctx context.Context, daemon text.Daemon, b text.Batch) error {
	client := a.client(daemon)
	if client == nil {
		return fmt.Errorf("%w %s: switch it on in FRR's daemons file and restart FRR; it is to be told %q", errNoDaemon, daemon,
			text.Redact(b.Lines[0]))
	}
	if err := client.Configure(ctx, b.Lines); err != nil {
		return fmt.Errorf("configure %s: %w", daemon, err)
	}
	return nil
}

var errNoDaemon = errors.New("there is no")

// isUnknown tells that a daemon knows no such command.
func isUnknown(err error) bool {
	var status *vty.StatusError
	return errors.As(err, &status) && status.Status == vty.NoSuch
}

// remove takes away what is wanted no more, entries of announced prefixes apart, and looks again.
func (a *Applier) remove(ctx context.Context, want model.Node) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t, err := a.again(ctx, want)
	if err != nil {
		return err
	}
	if err := a.readyFiles(t); err != nil {
		return err
	}
	if err := a.configure(ctx, t.diff.Removing(notMember)); err != nil {
		return err
	}
	if t, err = a.again(ctx, want); err != nil {
		return err
	}
	if left := changesBy(t.diff, func(c text.Change) bool { return c.Verb == text.Remove && notMember(c) }); len(left) > 0 {
		return fmt.Errorf("FRR took all commands, but its configuration still has %s", describe(left, nil))
	}
	if len(t.diff.Changes) > 0 {
		return nil // the files wait for the rest
	}
	return a.writeFiles(t.files)
}

func notMember(c text.Change) bool {
	_, is := text.Member(c)
	return !is
}

// forgetMember takes a prefix out of the lists of announced prefixes. The files follow in the next round, once for all
// of them.
func (a *Applier) forgetMember(ctx context.Context, d text.Difference, members []text.Change) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	batches := d.Removing(func(c text.Change) bool {
		return slices.ContainsFunc(members, func(m text.Change) bool { return m.Daemon == c.Daemon && m.Line == c.Line && len(c.Path) == 0 })
	})
	if err := a.configure(ctx, batches); err != nil {
		return err
	}
	a.poke()
	return nil
}

// attempt is what came of the last try to bring a configuration about.
type attempt struct {
	digest  string
	err     error
	tries   int
	notTill time.Time
}

// mayApply says why a configuration that FRR would not take is not tried again yet: each try could disturb a session.
func (a *Applier) mayApply(digest string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attempt.digest == digest && time.Now().Before(a.attempt.notTill) {
		return fmt.Errorf("%w; tried again at %s", a.attempt.err, a.attempt.notTill.Format(time.TimeOnly))
	}
	return nil
}

func (a *Applier) failed(digest string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil || a.attempt.digest != digest {
		a.attempt = attempt{digest: digest}
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return
	}
	a.attempt.err = err
	a.attempt.notTill = time.Now().Add(min(time.Second<<min(a.attempt.tries, 10), lastBackoff))
	a.attempt.tries++
}
