package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// Daemon tells what the BGP daemon has taken note of in the VRF's table. FRR drops a kernel's route while it knows of an
// address of the very same prefix, and hears of routes sooner than of addresses: neither what stands in the kernel nor
// the order in which it was written says what is announced.
type Daemon interface {
	// Knows tells whether it knows of an address of this prefix, and of a route of this metric.
	Knows(ctx context.Context, vrf string, p netip.Prefix, metric uint32) (address, route bool, err error)
	// Lacks lists those of the routes, all of which stand in the table, that it has not known for longer than a moment.
	Lacks(ctx context.Context, vrf string, routes map[netip.Prefix]uint32) ([]netip.Prefix, error)
}

// Ask has the daemon asked what it knows. Call it before anything else. Without, all is taken for known.
func (a *Announcements) Ask(d Daemon) { a.daemon = d }

const (
	// patience is what the daemon may take to note a change.
	patience = 5 * time.Second
	// patienceAgain is the same where it has had its time, and something is in the way.
	patienceAgain = 200 * time.Millisecond
	// pause is between two questions.
	pause = 2 * time.Millisecond
	// rest is after an address that went for a route. FRR takes the two for two pieces of news, the worse one first, and
	// looks at what came of it 50 ms after the first: the next must not fall into the end of that time.
	rest = 60 * time.Millisecond
)

// change is of the one key's bearer.
type change struct {
	prefix netip.Prefix
	metric uint32       // of its route
	route  bool         // it is to be told by the route; else by the address
	begin  func() error // writes it
	again  func() error // tells of it once more, while it is not known; nil: once is enough
	limit  time.Duration
}

// bear writes a bearer and waits until the daemon knows of it. It does nothing while the daemon does not answer: nobody
// would see what comes of it.
func (a *Announcements) bear(ctx context.Context, c change) error {
	if a.daemon == nil {
		return c.begin()
	}
	if _, err := a.known(ctx, c); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	for {
		known, err := a.known(limited, c)
		switch {
		case known:
			return nil
		case err == nil && c.again != nil:
			err = c.again()
		}
		if late := !wait(limited, pause); late && ctx.Err() == nil {
			return fmt.Errorf("the BGP daemon has not taken note of %s", c.prefix)
		}
		if err != nil {
			return err
		}
	}
}

func (a *Announcements) known(ctx context.Context, c change) (bool, error) {
	address, route, err := a.daemon.Knows(ctx, a.vrf.Name, c.prefix, c.metric)
	return c.route && route || !c.route && address, err
}

// wait tells whether the time has passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// toRoute gives a route the place of an address. From 10.2 on FRR notes it only when the address has gone, so it is told
// until then.
func (a *Announcements) toRoute(w model.Announcement, device int, begin ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		r := a.route(w, device)
		err := a.bear(ctx, change{prefix: r.Dst, metric: r.Metric, route: true, limit: patience,
			begin: func() error { return inOrder(begin...)(ctx) }, again: func() error { return a.again(r) }})
		if a.daemon != nil {
			wait(ctx, rest)
		}
		return err
	}
}

// toAddress gives an address, which is there or is written first, the place of a route.
func (a *Announcements) toAddress(r netlink.Route, begin ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := a.bear(ctx, change{prefix: r.Dst, metric: r.Metric, limit: patience,
			begin: func() error { return inOrder(begin...)(ctx) }})
		if err != nil {
			return err
		}
		return a.k.RouteDel(r)
	}
}

// inOrder does one deed after the other, as long as they succeed.
func inOrder(deeds ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, do := range deeds {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// again has the kernel tell of a route that it has. Of an IPv4 route that is replaced by the same it tells nobody, so
// that one is another in between.
func (a *Announcements) again(r netlink.Route) error {
	switch {
	case r.Dst.Addr().Is4() && r.Gateway.IsValid(): // no other is like it
		if err := a.k.RouteDel(r); err != nil {
			return err
		}
		return a.k.RouteAdd(r)
	case r.Dst.Addr().Is4():
		other := r
		other.Scope = netlink.ScopeUniverse
		if err := a.k.RouteReplace(other); err != nil {
			return err
		}
	}
	return a.k.RouteReplace(r)
}

// planUnknown plans to tell the daemon again of what is in the table as it should be, and unknown to it. That it does
// not answer is no fault of what is here: others notice.
func (a *Announcements) planUnknown(ctx context.Context, s *steps, have told, wanted map[routeKey]model.Announcement) {
	if a.daemon == nil {
		return
	}
	ask, by := map[netip.Prefix]uint32{}, map[netip.Prefix]routeKey{}
	for id, w := range wanted {
		r, there := have.routes[id]
		if _, address := have.addresses[w.Key()]; there && !address && r.Protocol == model.Protocol && a.leads(r, w) {
			ask[w.Prefix], by[w.Prefix] = r.Metric, id
		}
	}
	lacking, err := a.daemon.Lacks(ctx, a.vrf.Name, ask)
	if err != nil {
		return
	}
	for _, p := range lacking {
		r, w := have.routes[by[p]], wanted[by[p]]
		s.add(plan.Update, a.routeText(p, r.Gateway), strings.Join(w.Whys, "; ")+"; the BGP daemon has not taken note of it",
			[]string{w.Key()}, func(ctx context.Context) error {
				return a.bear(ctx, change{prefix: p, metric: r.Metric, route: true, limit: patienceAgain,
					begin: func() error { return a.again(r) }})
			})
	}
}
