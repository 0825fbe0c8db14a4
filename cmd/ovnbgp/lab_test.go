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
