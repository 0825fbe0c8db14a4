package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// LeafPaths is a text that stays the same for as long as the leaf keeps its paths to a prefix: the version of its table
// at the prefix's last change, and since when it has each path.
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
			LastUpdate struct{ Epoch int64 }
			Peer       struct{ Hostname string }
		}
	}
	if err := json.Unmarshal(out, &entry); err != nil {
		return "", fmt.Errorf("read the leaf's paths to %s: %w", prefix, err)
	}
	text := []string{fmt.Sprintf("version %d", entry.Version)}
	for _, p := range entry.Paths {
		text = append(text, fmt.Sprintf("%s since %d", p.Peer.Hostname, p.LastUpdate.Epoch))
	}
	return strings.Join(text, ", "), nil
}
