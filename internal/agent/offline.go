package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// patience is how long a command without an agent waits for the databases, and silence how long it says nothing of it.
const (
	patience = 30 * time.Second
	silence  = 2 * time.Second
)

// Plan runs one round without an agent: read only, and without the node's lock.
func Plan(ctx context.Context, o Options) (plan.Preview, error) {
	settings, err := load(o)
	if err != nil {
		return plan.Preview{}, err
	}
	var preview plan.Preview
	err = withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		if err := n.waitInSync(ctx, o.Progress); err != nil {
			return err
		}
		preview, err = n.planOnce(ctx, settings, o)
		return err
	})
	return preview, err
}

// PlanFrom plans what a saved snapshot would change on this node.
func PlanFrom(ctx context.Context, o Options, snapshot json.RawMessage) (plan.Preview, error) {
	settings, err := load(o)
	if err != nil {
		return plan.Preview{}, err
	}
	var input desired.Input
	decoder := json.NewDecoder(bytes.NewReader(snapshot))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		return plan.Preview{}, fmt.Errorf("not a snapshot: %w", err)
	}
	if input.OVN.Database == "" || input.Host.Name == "" {
		// What it does not say would look like gone.
		return plan.Preview{}, errors.New("not a snapshot: it names no database or no host")
	}
	var preview plan.Preview
	err = withNode(ctx, settings, o, func(ctx context.Context, n *node) error {
		n.source.fix(input)
		preview, err = n.planOnce(ctx, settings, o)
		return err
	})
	return preview, err
}

// withNode connects, runs what must run behind the connections, and closes all again.
func withNode(ctx context.Context, s config.Settings, o Options, use func(context.Context, *node) error) error {
	n, err := connect(ctx, s, o.Log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = n.run(ctx) // ends with ctx
	}()
	err = use(ctx, n)
	cancel()
	<-ended
	return errors.Join(err, n.close())
}

// waitInSync waits until the databases have been read, and tells what it waits for when that takes long.
func (n *node) waitInSync(ctx context.Context, progress func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		_, err := n.source.Snapshot(ctx)
		if !errors.Is(err, model.ErrNotInSync) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the databases could not be read: %w; see that they run and that ovsdb_connection and "+
				"ovn_nb_connection (ovn_sb_connection, by the driver) name them", err)
		case <-quiet.C:
			if progress != nil {
				progress(fmt.Sprintf("waiting for the databases, for %s at most: %v", patience, err))
			}
		case <-n.source.Pokes():
		}
	}
}

func (n *node) planOnce(ctx context.Context, s config.Settings, o Options) (plan.Preview, error) {
	loop := n.newLoop(s, o.Version, o.Log, metrics.NewReconcile(prometheus.NewRegistry()))
	return loop.Plan(ctx)
}
