package conformance

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/reconcile"
)

// speakEnv names the speaker that this process is to be, and dirEnv the directory of its node.
const (
	speakEnv = "OVNBGP_TEST_SPEAKER"
	dirEnv   = "OVNBGP_TEST_DIR"
)

// atOnce is how many scenes are played at the same time. They spend their time waiting for timers, not computing.
const atOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	if name := os.Getenv(speakEnv); name != "" {
		if err := speak(name, os.Getenv(dirEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// place is where a speaker runs: inside the network namespace of its node, in a process of its own.
type place struct {
	Dir string // with FRR's sockets, and frr.conf, which FRR is given when it starts
	VRF string
	Log *slog.Logger
}

// speaker is a speaker under test.
type speaker struct {
	reconcile.Announcer[model.Node]
	Run   func(context.Context) error // what watches in the background, if anything
	Close func() error
}

// Request and Answer are what passes between a test and its speaker.
type (
	Request struct{ Want model.Node }
	Answer  struct {
		Steps     []string
		Err       string
		Announced []string
	}
)

// rounds is how many rounds a speaker may take to reach what is wanted, and tries how often a step may fail meanwhile: a
// neighbour on an interface, for one, has first to be found.
const (
	rounds = 10
	tries  = 100
)

// speak is the process of a speaker: what of an agent concerns it. It brings about what it is handed on standard input,
// and once more whenever it is poked. A signal to terminate stops it as it stops the agent.
func speak(name, dir string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := speakers()[name].open(place{Dir: dir, VRF: vrfName, Log: log})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		if s.Run == nil {
			<-ctx.Done()
			ended <- nil
			return
		}
		ended <- s.Run(ctx)
	}()
	err = serve(ctx, s, log)
	cancel()
	if run := <-ended; !errors.Is(run, context.Canceled) {
		err = errors.Join(err, run)
	}
	return errors.Join(err, s.Close())
}

func serve(ctx context.Context, s speaker, log *slog.Logger) error {
	requests := make(chan Request)
	go func() {
		in := gob.NewDecoder(os.Stdin)
		for {
			var r Request
			if in.Decode(&r) != nil {
				return // the test has ended, or kills us
			}
			requests <- r
		}
	}()
	out := gob.NewEncoder(os.Stdout)
	var want *model.Node
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-requests:
			want = &r.Want
			steps, err := converge(ctx, s, r.Want)
			a := Answer{Steps: steps}
			if err == nil {
				a.Announced, err = s.Announced(ctx)
			}
			if err != nil {
				a.Err = err.Error()
			}
			if err := out.Encode(a); err != nil {
				return err
			}
		case <-s.Pokes():
			if want == nil {
				continue
			}
			if _, err := converge(ctx, s, *want); err != nil {
				log.Warn("after a poke", "err", err)
			}
		}
	}
}

// converge plans and does until there is nothing to do.
func converge(ctx context.Context, s speaker, want model.Node) ([]string, error) {
	var did []string
	for done, failed := 0, 0; ; {
		steps, err := s.Plan(ctx, want)
		if err != nil || len(steps) == 0 {
			return did, err
		}
		var failure error
		for _, step := range steps {
			did = append(did, step.String())
			if err := step.Do(ctx); err != nil {
				failure = errors.Join(failure, fmt.Errorf("%s: %w", step, err))
			}
		}
		if failure == nil {
			done++
		} else {
			failed++
			time.Sleep(100 * time.Millisecond)
		}
		if done > rounds || failed > tries {
			return did, errors.Join(fmt.Errorf("not idle after %d rounds and %d that failed: %q", done, failed, did), failure)
		}
	}
}
