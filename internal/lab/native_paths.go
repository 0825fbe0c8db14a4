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
	family := "ipv6"
	if prefix.Addr().Is4() {
		family = "ipv4"
	}
	out, err := f.showLeaf(ctx, "show bgp "+family+" unicast "+prefix.String()+" json")
	if err != nil {
		return "", err
	}
	var entry struct {
		Version int64
		Paths   []struct {
			Peer struct{ Hostname string }
		}
	}
	if err := json.Unmarshal(out, &entry); err != nil {
		return "", fmt.Errorf("read the leaf's paths to %s: %w", prefix, err)
	}
	text := []string{fmt.Sprintf("version %d", entry.Version)}
	for _, p := range entry.Paths {
		text = append(text, p.Peer.Hostname)
	}
	return strings.Join(text, ", "), nil
}
