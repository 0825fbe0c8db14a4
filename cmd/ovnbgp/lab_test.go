package main

import (
	"errors"
	"strings"
	"testing"
)

// A start that a signal ended in the guest says so: a bare 137 tells nobody that the memory was too small.
func TestStartEndedBySignal(t *testing.T) {
	err := startEnded(137, nil)
	if err == nil || !strings.Contains(err.Error(), "ended by signal 9 (out of memory? --memory gives the guest more)") {
		t.Errorf("error %v", err)
	}
	if err := startEnded(143, nil); err == nil || !strings.Contains(err.Error(), "ended by signal 15") || strings.Contains(err.Error(), "memory") {
		t.Errorf("error %v", err)
	}
	var code exitCode
	if err := startEnded(1, nil); !errors.As(err, &code) || code != 1 { // it has said why
		t.Errorf("error %v", err)
	}
	if err := startEnded(0, nil); err != nil {
		t.Errorf("error %v", err)
	}
}

func TestParseMemory(t *testing.T) {
	for _, tt := range []struct {
		text string
		want uint64
	}{
		{"3G", 3 << 30}, {"1536m", 1536 << 20}, {"1048576K", 1 << 30},
		{"", 0}, {"G", 0}, {"3", 0}, {"3GB", 0}, {"-3G", 0}, {"3.5G", 0}, {"3 G", 0}, {"3GG", 0}, {"99999999999G", 0},
	} {
		got, err := parseMemory(tt.text)
		if got != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%q: %d, %v", tt.text, got, err)
		}
	}
}

// What a lab that runs does not take is told, and nothing else.
func TestWarnIgnored(t *testing.T) {
	o := labUpOptions{given: func(flag string) bool { return flag == "memory" || flag == "agent" }}
	var out strings.Builder
	o.warnIgnored(&out, "the guest stays as it is", "memory", "files", "with")
	if want := "warning: --memory is ignored: the guest stays as it is\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
