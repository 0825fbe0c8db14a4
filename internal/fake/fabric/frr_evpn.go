package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/client/vty"
)

// vniOf finds the VNI of a type-5 route. FRR 8.4 says it in its text, and not in its JSON.
var vniOf = regexp.MustCompile(`Route \[5\]:\[0\]:\[(\d+)\]:\[([^]]+)\] VNI (\d+)`)

// evpn lists the type-5 routes: FRR's table is keyed by route distinguisher, then by "[5]:[0]:[32]:[203.0.113.9]".
func (p *frrPeer) evpn(ctx context.Context) ([]string, error) {
	var table map[string]json.RawMessage
	if err := p.ShowJSON(ctx, "bgpd", "show bgp l2vpn evpn route type prefix json", &table); err != nil {
		return nil, err
	}
	vnis, err := p.vnis(ctx)
	if err != nil {
		return nil, err
	}
	var all []path
	for rd, raw := range table {
		var routes map[string]json.RawMessage
		if json.Unmarshal(raw, &routes) != nil {
			continue // a count
		}
		for key, raw := range routes {
			if !strings.HasPrefix(key, "[5]:") {
				continue
			}
			var route struct {
				Paths [][]evpnPath `json:"paths"`
			}
			if err := json.Unmarshal(raw, &route); err != nil {
				return nil, fmt.Errorf("%s %s: %w", rd, key, err)
			}
			for _, alike := range route.Paths {
				for _, found := range alike {
					all = append(all, found.path(rd, vnis))
				}
			}
		}
	}
	return texts(all), nil
}

// evpnPath is a path of "show bgp l2vpn evpn route type prefix json".
type evpnPath struct {
	IP       netip.Addr `json:"ip"`
	Bits     int        `json:"ipLen"`
	AS       string     `json:"path"`
	Extended struct {
		String string `json:"string"`
	} `json:"extendedCommunity"`
	NextHops []struct {
		IP netip.Addr `json:"ip"`
	} `json:"nexthops"`
}

func (e evpnPath) path(rd string, vnis map[netip.Prefix]int) path {
	out := path{prefix: netip.PrefixFrom(e.IP, e.Bits), tail: "rd " + rd}
	for _, word := range strings.Fields(e.AS) {
		as, _ := strconv.ParseUint(word, 10, 32) // 0 shows that something else is there
		out.as = append(out.as, uint32(as))
	}
	for _, hop := range e.NextHops {
		out.nextHop = hop.IP
	}
	words := strings.Fields(e.Extended.String)
	slices.Sort(words)
	for _, word := range words {
		if name, value, ok := strings.Cut(word, ":"); ok {
			out.tail += extended(name, value)
		}
	}
	out.tail += fmt.Sprintf(" vni %d", vnis[out.prefix])
	return out
}

// extended says what an extended community is, in the words of whoever set it.
func extended(name, value string) string {
	switch name {
	case "RT":
		return " rt " + value
	case "Rmac":
		return " router-mac " + value
	case "ET":
		if value == "8" { // the number of RFC 9012
			value = "vxlan"
		}
		return " encapsulation " + value
	}
	return " " + name + " " + value
}

func (p *frrPeer) vnis(ctx context.Context) (map[netip.Prefix]int, error) {
	c := vty.New(p.socket("bgpd"))
	text, err := c.Show(ctx, "show bgp l2vpn evpn route detail")
	if err := errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	found := map[netip.Prefix]int{}
	for _, match := range vniOf.FindAllStringSubmatch(string(text), -1) {
		prefix, err := netip.ParsePrefix(match[2] + "/" + match[1])
		if err != nil {
			return nil, err
		}
		if found[prefix], err = strconv.Atoi(match[3]); err != nil {
			return nil, err
		}
	}
	return found, nil
}
