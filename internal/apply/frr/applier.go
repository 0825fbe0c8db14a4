// Package frr makes FRR tell its peers what is in our VRF. The mode says what of FRR's configuration is ours (Mode).
//
// In mode Assist the operator owns frr.conf and we add one thing, the leak of the VRF into the default instance. It owns
// these lines, in the AS and VRF we lead, and never takes any away but in Cleanup:
//
//	router bgp 64999                          router bgp 64999 vrf bgp-vrf
//	 address-family ipv4 unicast               bgp router-id 10.0.0.1
//	  import vrf bgp-vrf                       address-family ipv4 unicast
//	 address-family ipv6 unicast                redistribute connected
//	  import vrf bgp-vrf                       address-family ipv6 unicast
//	                                            redistribute connected
//
// Where routes are announced, "redistribute kernel route-map ovnbgp-announce" and that route map (routemap.go); while the
// node is drained, "bgp graceful-shutdown" in the default instance, which alone is taken away again (drain.go).
//
// In mode Managed all of it is ours, neighbours and filters too: package text renders it, managed.go sends what differs
// and writes FRR's files. In mode Observe nothing is; what FRR lacks is a finding (finding.go).
//
// Which addresses are announced is not said here, in any mode: FRR follows the kernel's addresses and routes in the VRF,
// which is why Announced has nothing to tell. Text alone does not prove a leak (effect.go). Start at Applier.Plan.
package frr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Options say where FRR is and what is ours in it.
type Options struct {
	Sockets string // directory of bgpd.vty and zebra.vty
	AS      uint32 // with VRF: what Cleanup takes away
	VRF     string
	// Interval is how often FRR is looked at by Run, at most every 5 seconds. 0: only when FRR comes back.
	Interval time.Duration
	OnWrite  func() // called for each line of configuration sent; may be nil

	Mode Mode
	// ConfDir is the directory of frr.conf and daemons, which are written in mode Managed; "" for none.
	ConfDir string
	// Vtysh is the program that checks a configuration and takes raw lines; "" for the one in the path.
	Vtysh string
}

func (o Options) vtysh() string { return cmp.Or(o.Vtysh, "vtysh") }

// Applier keeps FRR's configuration, as far as the mode makes it ours. Its methods may be called from several goroutines.
type Applier struct {
	options Options
	bgpd    *vty.Client
	zebra   *vty.Client
	pokes   chan struct{}

	mu             sync.Mutex
	clients        map[text.Daemon]*vty.Client
	wanted         model.Node // of the last Plan: what Run looks at
	fault          fault      // of the leak's effect
	found          found
	attempt        attempt // in mode Managed, that failed
	checked        string  // the configuration that FRR found well written
	findings       []Finding
	daemonsChanged bool
	// permanent names the operator's "bgp graceful-shutdown", "" when there was none at the last look.
	permanent string
}

// New returns an applier. It connects when first asked.
func New(o Options) *Applier {
	a := &Applier{options: o, pokes: make(chan struct{}, 1),
		bgpd:  vty.New(filepath.Join(o.Sockets, "bgpd.vty")),
		zebra: vty.New(filepath.Join(o.Sockets, "zebra.vty"))}
	a.bgpd.OnWrite = o.OnWrite
	a.clients = map[text.Daemon]*vty.Client{text.BGP: a.bgpd, text.Zebra: a.zebra}
	return a
}

// Name returns "frr".
func (a *Applier) Name() string { return "frr" }

// Close closes the connections to FRR.
func (a *Applier) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, c := range a.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Announced returns nothing: FRR announces what it finds in the VRF, and that is told by the applier that puts it there.
func (a *Applier) Announced(context.Context) ([]string, error) { return nil, nil }

// askTimeout bounds what FRR may take to answer all of one Plan or step. A bgpd that works on a full table answers
// late, but not that late.
const askTimeout = 20 * time.Second

// Plan returns, in mode Assist, no step, or one that adds the lines that are missing, or one that mends a leak whose lines
// are there and have no effect; and those of a drain. The error says that FRR could not be read, or that want asks for
// names FRR must not see.
func (a *Applier) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	a.remember(want)
	switch a.options.Mode {
	case Managed:
		return a.planManaged(ctx, want)
	case Observe:
		return nil, a.observe(ctx, want)
	case Assist:
	}
	if want.Leak.VRF == "" {
		return nil, nil
	}
	if err := valid(want.Leak); err != nil {
		return nil, err
	}
	if a.isFound(aim(want)) {
		return nil, nil
	}
	change := a.changes()
	have, err := a.read(ctx, want.Leak.VRF)
	if err != nil {
		return nil, err
	}
	drain := a.drainSteps(want, have)
	if missing := compare(want.Leak, have); missing.lacks() || missing.obstacle != nil {
		return append([]plan.Step{a.addition(want.Leak, have, missing)}, drain...), nil
	}
	effect, err := a.effect(ctx, want, have)
	if err != nil {
		return nil, err
	}
	if !a.judge(effect) {
		if effect.good() && drain == nil {
			a.keepFound(aim(want), change)
		}
		return drain, nil
	}
	return append([]plan.Step{a.mending(want, have, effect)}, drain...), nil
}

func (a *Applier) addition(leak model.Leak, have running, missing difference) plan.Step {
	verb := plan.Update
	if _, there := have.instances[leak.VRF]; !there {
		verb = plan.Create
	}
	return plan.Step{Verb: verb, Object: missing.String(), Why: leak.Why,
		Do: func(ctx context.Context) error { return a.add(ctx, leak) }}
}

// add reads again, adds what is missing, and reads back: FRR may have been started anew since the plan, and a line
// that was taken need not be shown.
func (a *Applier) add(ctx context.Context, leak model.Leak) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	have, err := a.read(ctx, leak.VRF)
	if err != nil {
		return err
	}
	missing := compare(leak, have)
	if missing.obstacle != nil {
		return missing.obstacle
	}
	if !missing.lacks() {
		return nil
	}
	if err := a.bgpd.Configure(ctx, missing.commands()); err != nil {
		return fmt.Errorf("add %s: %w", missing, err)
	}
	if have, err = a.read(ctx, leak.VRF); err != nil {
		return err
	}
	if still := compare(leak, have); still.lacks() {
		return fmt.Errorf("FRR took all lines, but its configuration still lacks %s", still)
	}
	return nil
}

// valid lets only names through that cannot be anything else in a line of FRR's configuration.
func valid(leak model.Leak) error {
	if leak.AS == 0 {
		return errors.New("the AS of the leak is 0")
	}
	if !validName(leak.VRF) {
		return fmt.Errorf("VRF %q: a name for FRR has 1 to 15 letters, digits, dots, underscores, hyphens", leak.VRF)
	}
	if slices.Contains(leak.Redistribute, "kernel") && !validName(leak.Device) {
		return fmt.Errorf("device %q of the VRF: a name for FRR has 1 to 15 letters, digits, dots, underscores, hyphens",
			leak.Device)
	}
	for _, source := range leak.Redistribute {
		if source != "connected" && source != "kernel" {
			return fmt.Errorf("redistribute %q: neither connected nor kernel", source)
		}
	}
	if leak.RouterID.IsValid() && !leak.RouterID.Is4() {
		return fmt.Errorf("router id %s: not an IPv4 address", leak.RouterID)
	}
	return nil
}

func validName(name string) bool {
	const signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return len(name) >= 1 && len(name) <= 15 && strings.Trim(name, signs) == ""
}

func (a *Applier) remember(want model.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = want
}
