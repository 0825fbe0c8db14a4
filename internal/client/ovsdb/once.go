package ovsdb

import (
	"context"
	"fmt"
)

// ReadOnce fills tables with what the server has, whole, over a connection of its own, and returns how the connection
// was. It tries the endpoints in turn until ctx ends; then its error is ErrNotInSync with the last reason.
func ReadOnce(ctx context.Context, o Options, tables Tables) (Status, error) {
	client := New(o, tables)
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = client.Run(running) // ends with its context, and says so
	}()
	// The tables are the caller's when nothing reads the connection any more.
	defer func() {
		stop()
		<-ended
	}()
	for {
		status := client.Status()
		if status.InSync {
			return status, nil
		}
		select {
		case <-client.Pokes():
		case <-ctx.Done():
			if err := client.Status().LastError; err != nil {
				return status, fmt.Errorf("read %s once: %w: %w", o.Database, ErrNotInSync, err)
			}
			return status, fmt.Errorf("read %s once: %w: %w", o.Database, ErrNotInSync, context.Cause(ctx))
		}
	}
}
