package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// LeafPaths is a text that stays the same for as long as the leaf keeps its paths to a prefix: who announces it, and the
// version of the table at the last change of any of them.
func (f *Fabric) LeafPaths(ctx context.Context, prefix netip.Prefix) (string, error) {
	entry, err := f.leafEntry(ctx, prefix)
	if err != nil {
		return "", err
	}
	text := []string{fmt.Sprintf("version %d", entry.Version)}
	return strings.Join(append(text, entry.nodes()...), ", "), nil
}

// LeafNodes lists the nodes that announce one prefix to the leaf, without a look at the whole table: often and cheap.
func (f *Fabric) LeafNodes(ctx context.Context, prefix netip.Prefix) ([]string, error) {
	entry, err := f.leafEntry(ctx, prefix)
	return entry.nodes(), err
}

// leafEntry is `show bgp … PREFIX json`. Of a prefix that is not in the table it is empty.
type leafEntry struct {
	Version int64
	Paths   []struct {
		Peer struct{ Hostname string }
	}
}

func (e leafEntry) nodes() []string {
	var nodes []string
	for _, p := range e.Paths {
		nodes = append(nodes, p.Peer.Hostname)
	}
	return nodes
}

func (f *Fabric) leafEntry(ctx context.Context, prefix netip.Prefix) (leafEntry, error) {
	var entry leafEntry
	family := "ipv6"
	if prefix.Addr().Is4() {
		family = "ipv4"
	}
	out, err := f.showLeaf(ctx, "show bgp "+family+" unicast "+prefix.String()+" json")
	if err != nil {
		return entry, err
	}
	if err := json.Unmarshal(out, &entry); err != nil {
		return entry, fmt.Errorf("read the leaf's paths to %s: %w", prefix, err)
	}
	return entry, nil
}
