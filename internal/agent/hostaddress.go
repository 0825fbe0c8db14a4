package agent

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/source/health"
	"ovnbgp/internal/source/host"
)

// hostAddresses reads how the host's own addresses fare. Only of those that it has the checks run.
type hostAddresses struct {
	host   *host.Source
	health *health.Source
	last   atomic.Pointer[[]model.HostAddress]
}

func newHostAddresses(h *host.Source) *hostAddresses {
	return &hostAddresses{host: h, health: health.New()}
}

func (h *hostAddresses) read(ctx context.Context, c config.Node) ([]model.HostAddress, error) {
	list := make([]netip.Addr, len(c.HostAddresses))
	for i, a := range c.HostAddresses {
		list[i] = a.Address
	}
	found, err := h.host.Addresses(ctx, list, c.VRF)
	if err != nil {
		return nil, err
	}
	checks := map[netip.Addr]health.Check{}
	for i, a := range found {
		if check := c.HostAddresses[i].Check; check.IsSet() && a.Device != "" {
			checks[a.Address] = health.Check(check)
		}
	}
	states := h.health.Watch(checks)
	for i := range found {
		state := states[found[i].Address]
		found[i].Health, found[i].Text = state.Health, state.Text
	}
	h.last.Store(&found)
	return found, nil
}

// measure counts the addresses by how they fared when they were read last.
func (h *hostAddresses) measure() metrics.HostAddresses {
	attempts := h.health.Attempts()
	m := metrics.HostAddresses{States: map[string]int{}, Passed: attempts.Passed, Failed: attempts.Failed}
	var list []model.HostAddress
	if last := h.last.Load(); last != nil {
		list = *last
	}
	for _, state := range metrics.HostAddressStates() {
		m.States[state] = 0
	}
	for _, a := range list {
		state := string(a.Health)
		switch {
		case a.Device == "":
			state = "absent"
		case a.Health == model.Unchecked:
			state = "unchecked"
		}
		m.States[state]++
	}
	return m
}

// pokes receives when a check says something new; never where there is nobody to read.
func (h *hostAddresses) pokes() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.health.Pokes()
}

// gateLimit is how long the kernel may take to be asked at a closed gate.
const gateLimit = time.Second

// hostNow brings into a state what the host says now of its own addresses. What cannot be read stays as it was.
func (n *node) hostNow(state model.Node) model.Node {
	c := *n.source.config.Load()
	if len(c.HostAddresses) == 0 {
		return state
	}
	ctx, cancel := context.WithTimeout(context.Background(), gateLimit)
	defer cancel()
	list, err := n.source.addresses.read(ctx, c)
	if err != nil {
		return state
	}
	return desired.HostAddresses(state, model.Host{Addresses: list}, c)
}

// isHostAddress tells whether a key is that of an address of the host's own: nothing that OVN says can explain it.
func (n *node) isHostAddress(key string) bool {
	c := *n.source.config.Load()
	return slices.ContainsFunc(c.HostAddresses, func(h config.HostAddress) bool {
		return key == model.Key(c.VRF, netip.PrefixFrom(h.Address, h.Address.BitLen()))
	})
}
