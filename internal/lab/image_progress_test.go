package lab

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A step of minutes tells that it goes on: on a terminal in its own line, which is left as it was; else by a line at times.
func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		name     string
		terminal bool
		takes    time.Duration
		want     string
	}{
		{"a file", false, 65 * time.Second, "packages: 30 s so far, see build.log\npackages: 60 s so far, see build.log\n"},
		{"a file, soon done", false, 20 * time.Second, ""},
		{"a terminal", true, 1500 * time.Millisecond, "\r\x1b[K  packages                             " +
			"  1 s  build.log\r\x1b[K  packages                           "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				p := progress{w: &out, terminal: tt.terminal, log: "build.log"}
				must(t, p.during("  packages", func(context.Context) error { time.Sleep(tt.takes); return nil })(t.Context()))
				if strings.Join(strings.Fields(out.String()), " ") != strings.Join(strings.Fields(tt.want), " ") {
					t.Errorf("got %q", out.String())
				}
			})
		})
	}
}
