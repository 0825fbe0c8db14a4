// Package zebra reads which of the kernel's routes and addresses FRR's zebra has taken note of: only those can be
// redistributed. It writes nothing. Start at Source.Lacks.
//
// From 10.2 on zebra drops a kernel's route when an interface of its VRF has an address of the very same prefix
// (rib_add_multipath), and nobody tells it again when the address has gone. It hears of the two in different threads:
// a route that is written after the address was deleted may come first.
package zebra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ovnbgp/internal/client/vty"
)

const (
	// look is how often it is looked whether zebra has forgotten a route. It tells nobody.
	look = 5 * time.Second
	// moment is what zebra is given to take note of a route.
	moment = time.Second
	// askTimeout bounds a question.
	askTimeout = 5 * time.Second
	// few prefixes are asked after one by one, more by all of the VRF's table.
	few = 32
)

// Source asks a zebra. Its methods may be called from several goroutines.
type Source struct {
	zebra *vty.Client
	pokes chan struct{}

	mu    sync.Mutex
	vrf   string                     // that was asked after last
	noted map[netip.Prefix]bool      // routes that zebra had
	count int                        // kernel's routes that zebra had then, others' included
	gone  int                        // noted ones that are wanted no more and may be in count
	since map[netip.Prefix]time.Time // when it was first seen that zebra has no such route
}

// New returns a source. It connects to zebra.vty in the directory when first asked.
func New(sockets string) *Source {
	return &Source{zebra: vty.New(filepath.Join(sockets, "zebra.vty")), pokes: make(chan struct{}, 1),
		noted: map[netip.Prefix]bool{}, since: map[netip.Prefix]time.Time{}}
}

// Close closes the connection.
func (s *Source) Close() error { return s.zebra.Close() }

// Pokes receives when zebra may lack a route.
func (s *Source) Pokes() <-chan struct{} { return s.pokes }

// Run looks after what was asked for last until the context ends; it is what makes Pokes work.
func (s *Source) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if s.changed(ctx) {
			select {
			case s.pokes <- struct{}{}:
			default: // one is waiting
			}
		}
	}
}

func (s *Source) changed(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.noted)+len(s.since) == 0 {
		return false
	}
	n, err := s.routes(ctx)
	return err == nil && (n != s.count || len(s.since) > 0)
}

// Knows tells what zebra has in the VRF's table for a prefix: of an address of it, and of the kernel's route of that
// metric. The kernel itself gives an IPv6 address a route, of another.
func (s *Source) Knows(ctx context.Context, vrf string, p netip.Prefix, metric uint32) (address, route bool, err error) {
	var table map[string][]entry
	if err := s.ask(ctx, show(p.Addr().Is6(), vrf, p.String()), &table); err != nil {
		return false, false, err
	}
	address, route = known(table[p.String()], metric)
	return address, route, nil
}

// entry is one of several that zebra has for a prefix.
type entry struct {
	Protocol string `json:"protocol"`
	Metric   uint32 `json:"metric"`
}

func known(entries []entry, metric uint32) (address, route bool) {
	for _, e := range entries {
		address = address || e.Protocol == "connected"
		route = route || e.Protocol == "kernel" && e.Metric == metric
	}
	return address, route
}

// Lacks lists those of the kernel's routes, given with their metrics and all in the VRF's table, that zebra has not taken note of for
// longer than a moment. What it was seen to have is asked after again only when it has fewer routes than before.
func (s *Source) Lacks(ctx context.Context, vrf string, routes map[netip.Prefix]uint32) ([]netip.Prefix, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if vrf != s.vrf {
		s.vrf, s.count, s.gone = vrf, 0, 0
		clear(s.noted)
		clear(s.since)
	}
	s.narrow(routes)
	if len(routes) == 0 {
		return nil, nil
	}
	n, err := s.routes(ctx)
	if err != nil {
		return nil, err
	}
	s.compare(n)
	unsure := maps.Clone(routes)
	maps.DeleteFunc(unsure, func(p netip.Prefix, _ uint32) bool { return s.noted[p] })
	has, err := s.has(ctx, unsure)
	if err != nil {
		return nil, err
	}
	var lacking []netip.Prefix
	now := time.Now()
	for p := range unsure {
		first, seen := s.since[p]
		switch {
		case has[p]:
			s.noted[p] = true
			delete(s.since, p)
		case !seen:
			s.since[p] = now
		case now.Sub(first) >= moment:
			lacking = append(lacking, p)
		}
	}
	slices.SortFunc(lacking, netip.Prefix.Compare)
	return lacking, nil
}

// narrow forgets what is asked after no more.
func (s *Source) narrow(routes map[netip.Prefix]uint32) {
	before := len(s.noted)
	maps.DeleteFunc(s.noted, func(p netip.Prefix, _ bool) bool { _, asked := routes[p]; return !asked })
	maps.DeleteFunc(s.since, func(p netip.Prefix, _ time.Time) bool { _, asked := routes[p]; return !asked })
	s.gone += before - len(s.noted)
}

// compare takes in how many routes zebra has now. When more of them went than are wanted no more, none is sure.
func (s *Source) compare(n int) {
	if n < s.count-s.gone {
		clear(s.noted)
		s.gone = 0
	}
	s.gone = max(0, s.gone-max(0, s.count-n))
	s.count = n
}

// routes counts the kernel's routes of both families in the VRF's table.
func (s *Source) routes(ctx context.Context) (n int, err error) {
	for _, six := range []bool{false, true} {
		var summary struct {
			Routes []struct {
				Type string `json:"type"`
				RIB  int    `json:"rib"`
			} `json:"routes"`
		}
		if err := s.ask(ctx, show(six, s.vrf, "summary"), &summary); err != nil {
			return 0, err
		}
		for _, r := range summary.Routes {
			if r.Type == "kernel" {
				n += r.RIB
			}
		}
	}
	return n, nil
}

// has tells of which prefixes zebra has the kernel's route.
func (s *Source) has(ctx context.Context, routes map[netip.Prefix]uint32) (map[netip.Prefix]bool, error) {
	has := make(map[netip.Prefix]bool, len(routes))
	if len(routes) <= few {
		for p, metric := range routes {
			_, route, err := s.Knows(ctx, s.vrf, p, metric)
			if err != nil {
				return nil, err
			}
			has[p] = route
		}
		return has, nil
	}
	for _, six := range []bool{false, true} {
		var table map[string][]entry
		if err := s.ask(ctx, show(six, s.vrf, "kernel"), &table); err != nil {
			return nil, err
		}
		for text, entries := range table {
			if p, err := netip.ParsePrefix(text); err == nil { // "PREFIX from PREFIX" is none of ours
				_, has[p] = known(entries, routes[p])
			}
		}
	}
	return has, nil
}

func (s *Source) ask(ctx context.Context, command string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := s.zebra.ShowJSON(ctx, command, v)
	var status *vty.StatusError
	if errors.As(err, &status) && status.Output == "{}" {
		return nil // a prefix that is not in the table
	}
	if err != nil {
		return fmt.Errorf("read zebra's table: %w", err)
	}
	return nil
}

func show(six bool, vrf, what string) string {
	family := "ip"
	if six {
		family = "ipv6"
	}
	return "show " + family + " route vrf " + vrf + " " + what + " json"
}
