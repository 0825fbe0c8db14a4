package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// A signal ends the wait for whoever writes a snapshot into a pipe.
func TestReadSnapshotEndsWithContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readSnapshot(ctx, fmt.Sprintf("/dev/fd/%d", r.Fd())); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
