// Package agent wires an agent together: it constructs the clients, sources, appliers, the loop and the local server,
// runs them, and ends them. It decides nothing. Start at Run; what is connected to what stands in node.go.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"ovnbgp/internal/api"
	"ovnbgp/internal/config"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/reconcile"
)

// Options say how an agent is run.
type Options struct {
	// Load reads the configuration, at start and at every reload.
	Load func() (file.Result, error)
	// Reloads receives when the configuration shall be read again; nil for never.
	Reloads <-chan os.Signal
	Version string
	Log     *slog.Logger
	// Progress is told what a command without an agent waits for, when it waits for long; nil: nobody is.
	Progress func(text string)
}

// Agent is a running agent. It answers the local server.
type Agent struct {
	options Options
	log     *slog.Logger
	wired   config.Settings // those of the start; what decisions depend on may have changed since: see inputSource
	node    *node
	loop    *reconcile.Loop[roundInput, model.Node]
	reloads reloads
}

// Run runs an agent until the context ends. It withdraws nothing then: everything stays as it is, and the next start
// finds it.
func Run(ctx context.Context, o Options) error {
	settings, err := load(o)
	if err != nil {
		return err
	}
	lock, err := TakeLock(settings.Paths.LockFile)
	if err != nil {
		return err
	}
	defer lock.Release() //nolint:errcheck // the kernel drops it in any case
	a := &Agent{options: o, log: o.Log, wired: settings}
	a.reloads.accepted(time.Now(), nil)

	registry := prometheus.NewRegistry()
	set := metrics.New(registry, o.Version)
	if a.node, err = connect(ctx, settings, o.Log); err != nil {
		return err
	}
	defer func() { _ = a.node.close() }() // the process ends
	if err := a.node.carriers.CheckVRF(ctx, underlay(settings.Node)); err != nil {
		return err
	}
	a.loop = a.node.newLoop(settings, o.Version, o.Log, set.Reconcile)
	metrics.RegisterReadings(registry, a.readings)
	metrics.RegisterHostAddresses(registry, a.node.source.addresses.measure)
	metrics.RegisterPeers(registry, a.node.measurePeers)
	metrics.RegisterLearned(registry, a.node.measureLearned)
	o.Log.Info("agent starts", slog.String("version", o.Version), slog.String("driver", string(settings.Node.Driver)),
		slog.String("database", endpoints(settings)), slog.String("speaker", a.node.speakerText()))
	return a.serve(ctx, registry)
}

// endpoints says where the central database is looked for.
func endpoints(s config.Settings) string {
	list, key := s.Northbound.Endpoints, "ovn-nb-remote"
	if s.Node.Driver.Southbound() {
		list, key = s.Southbound.Endpoints, "ovn-remote"
	}
	if len(list) == 0 {
		return "as the switch's external_ids:" + key + " says"
	}
	return strings.Join(list, ",")
}

// serve runs every part until the context ends or one of them fails.
func (a *Agent) serve(ctx context.Context, registry *prometheus.Registry) error {
	listener, err := api.Listen(a.wired.Paths.APISocket)
	if err != nil {
		return err
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return a.node.run(ctx) })
	parts.Go(func() error { return a.loop.Run(ctx) })
	parts.Go(func() error { return api.Serve(ctx, listener, api.Handler(a)) })
	parts.Go(func() error { return a.reloadOnSignal(ctx) })
	parts.Go(func() error { return a.reportReady(ctx) })
	if a.wired.Metrics.Listen.IsValid() {
		parts.Go(func() error { return a.serveMetrics(ctx, registry) })
	}
	if err := parts.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	a.log.Info("agent ends; what it built stays")
	return nil
}

// load reads the configuration and refuses one that asks for what is not built.
func load(o Options) (config.Settings, error) {
	result, err := o.Load()
	if err != nil {
		return config.Settings{}, err
	}
	for _, w := range result.Warnings {
		o.Log.Warn("configuration", slog.String("why", w.String()))
	}
	return result.Settings, result.Startable()
}

func (a *Agent) reloadOnSignal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.options.Reloads:
			a.reload()
		}
	}
}

// serveMetrics offers metrics and health over TCP.
func (a *Agent) serveMetrics(ctx context.Context, registry *prometheus.Registry) error {
	listener, err := api.ListenTCP(a.wired.Metrics.Listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /", healthHandler(a.report))
	return api.Serve(ctx, listener, mux)
}
