// Package bgpd reads what BGP neighbours told FRR of the way out: the default routes that its bgpd has learned and chosen,
// and what zebra put into the kernel's main table. FRR installs them; here they are observed and nothing is written, and no
// decision depends on them. Start at Source.Snapshot. What the speaker built in has learned is package rib's.
package bgpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
)

const (
	// fresh is how old an answer may be. A scrape and a status at the same time are one look at FRR, and while nobody asks
	// there is none.
	fresh = 2 * time.Second
	// enough is what FRR may take for one look. People wait for it.
	enough = 2 * time.Second
)

// Source asks a bgpd and its zebra: at most six questions, each with an answer as long as there are neighbours or next
// hops. A full table costs no more. Its methods may be called from several goroutines.
type Source struct {
	bgpd, zebra *vty.Client

	mu   sync.Mutex
	at   time.Time // of the last look
	last model.Learning
	err  error
}

// New returns a source. It connects to bgpd.vty and zebra.vty in the directory when first asked.
func New(sockets string) *Source {
	return &Source{bgpd: vty.New(filepath.Join(sockets, "bgpd.vty")), zebra: vty.New(filepath.Join(sockets, "zebra.vty"))}
}

// Close closes the connections.
func (s *Source) Close() error { return errors.Join(s.bgpd.Close(), s.zebra.Close()) }

// Snapshot returns what FRR has learned, at most some seconds ago. The error says that bgpd cannot be asked, which is not
// to be taken for having learned nothing.
func (s *Source) Snapshot(ctx context.Context) (model.Learning, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < fresh {
		return s.last, s.err
	}
	limited, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	s.last, s.err = s.look(limited)
	s.at = time.Now()
	if errors.Is(ctx.Err(), context.Canceled) {
		s.at = time.Time{} // who asked has gone, which says nothing of FRR; whose time is up has learned that FRR hangs
	}
	return s.last, s.err
}

func (s *Source) look(ctx context.Context) (model.Learning, error) {
	var summary map[string]familySummary
	if err := ask(ctx, s.bgpd, "show bgp summary json", &summary); err != nil {
		return model.Learning{}, fmt.Errorf("ask FRR for its neighbours: %w", err)
	}
	l := model.Learning{RIB: model.RIB{Known: true}, Neighbors: sessions(summary)}
	if slices.ContainsFunc(l.Neighbors, model.Session.Down) {
		var all map[string]json.RawMessage
		if ask(ctx, s.bgpd, "show bgp neighbors json", &all) == nil { // what is known already is worth something without it
			tellWhyDown(l.Neighbors, all)
		}
	}
	for _, family := range families() {
		if !slices.ContainsFunc(l.Neighbors, func(n model.Session) bool { return n.Has(family) }) {
			continue
		}
		prefix := model.DefaultRoute(family)
		var told answer
		if err := ask(ctx, s.bgpd, fmt.Sprintf("show bgp %s %s json", family, prefix), &told); err != nil {
			return model.Learning{}, fmt.Errorf("ask FRR what it has learned: %w", err)
		}
		learned, chosen, any := told.learned(prefix)
		switch {
		case chosen:
			l.RIB.Learned = append(l.RIB.Learned, learned)
		case any:
			l.Unusable = append(l.Unusable, prefix)
		}
		if l.MainUnknown != "" {
			continue
		}
		main, err := s.main(ctx, prefix)
		if err != nil {
			l.Main, l.MainUnknown = nil, err.Error() // what bgpd says is worth something without it
			continue
		}
		l.Main = append(l.Main, main...)
	}
	return l, nil
}

// Told returns the neighbours that bgpd tells of a prefix, sorted, and whether it has the prefix in the default instance at
// all. What leaks out of a VRF without effect is not there, or not valid.
func (s *Source) Told(ctx context.Context, prefix netip.Prefix) (to []string, has bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	family := model.IPv4Unicast
	if prefix.Addr().Is6() {
		family = model.IPv6Unicast
	}
	var a answer
	if err := ask(ctx, s.bgpd, fmt.Sprintf("show bgp %s %s json", family, prefix), &a); err != nil {
		return nil, false, fmt.Errorf("ask FRR whom it tells of %s: %w", prefix, err)
	}
	has = slices.ContainsFunc(a.Paths, func(p path) bool { return p.Valid })
	return slices.Sorted(maps.Keys(a.Told)), has, nil
}

// families are those whose default routes are looked for.
func families() []model.BGPFamily { return []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} }

// main asks zebra for the kernel's routes to a prefix. Of its own zebra has heard from the kernel that they are there.
func (s *Source) main(ctx context.Context, p netip.Prefix) ([]model.MainRoute, error) {
	family := "ip"
	if p.Addr().Is6() {
		family = "ipv6"
	}
	var table map[string][]entry
	if err := ask(ctx, s.zebra, fmt.Sprintf("show %s route %s json", family, p), &table); err != nil {
		return nil, fmt.Errorf("ask zebra for the main table's %s: %w", p, err)
	}
	var list []model.MainRoute
	for _, inUse := range []bool{true, false} {
		for _, e := range table[p.String()] {
			if e.Installed && e.Selected == inUse {
				list = append(list, e.route(p))
			}
		}
	}
	return list, nil
}

// ask asks and decodes. FRR ends what it knows nothing of, an instance or a prefix, with a warning, and says "{}" or why.
func ask(ctx context.Context, daemon *vty.Client, command string, v any) error {
	err := daemon.ShowJSON(ctx, command, v)
	var status *vty.StatusError
	if errors.As(err, &status) && status.Status == vty.Warning &&
		(status.Output == "{}" || strings.Contains(status.Output, "BGP instance not found")) {
		return nil
	}
	return err
}
