package lab

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells that a step goes on, which may take minutes and shows nothing else.
type progress struct {
	w        io.Writer
	terminal bool   // where the step's line is: it is written anew each second; elsewhere there is a line now and then
	log      string // the file that has the step's own output
}

// during does a step and tells of it meanwhile.
func (p progress) during(name string, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ticking, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); p.tick(ticking, name) }()
		err := do(ctx)
		stop()
		<-ended // the step's line is timed's again
		return err
	}
}

// tick tells until ctx ends, and then leaves the step's line as timed had written it.
func (p progress) tick(ctx context.Context, name string) {
	interval := 30 * time.Second
	if p.terminal {
		interval = time.Second
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for begin := time.Now(); ; {
		select {
		case <-ctx.Done():
			if p.terminal {
				fmt.Fprintf(p.w, "\r\x1b[K%-36s ", name)
			}
			return
		case <-ticker.C:
		}
		seconds := time.Since(begin).Seconds()
		if p.terminal {
			fmt.Fprintf(p.w, "\r\x1b[K%-36s %3.0f s  %s", name, seconds, p.log)
		} else {
			fmt.Fprintf(p.w, "%s: %.0f s so far, see %s\n", strings.TrimSpace(name), seconds, p.log)
		}
	}
}
