package text

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ovnbgp/internal/model"
)

// check lets only values through that cannot be anything else in a line of FRR's configuration, and that FRR takes. The
// configuration's own checks come before; this is the last place where one can be refused as a whole.
func check(n model.Node) error {
	b := n.BGP
	var errs []error
	refuse := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if b.AS == 0 {
		refuse("no AS is configured")
	}
	if !b.RouterID.Is4() {
		refuse("router id %v: not an IPv4 address", b.RouterID)
	}
	if n.Leak.VRF != "" {
		if n.Leak.AS != b.AS {
			refuse("the AS of the VRF is %d, and that of BGP is %d", n.Leak.AS, b.AS)
		}
		if !isName(n.Leak.VRF, 15) || !isName(n.VRF.Device, 15) {
			refuse("VRF %q with device %q: no names for FRR", n.Leak.VRF, n.VRF.Device)
		}
	}
	for _, source := range n.Leak.Redistribute {
		if source != "connected" && source != "kernel" {
			refuse("redistribute %q: neither connected nor kernel", source)
		}
	}
	seen := map[string]string{}
	for _, p := range b.Peers {
		errs = append(errs, checkPeer(b, p))
		if other, twice := seen[id(p)]; twice {
			refuse("peers %s and %s are one neighbour, %s", other, p.Name, id(p))
		}
		seen[id(p)] = p.Name
	}
	for _, p := range b.Profiles {
		if !isName(p.Name, 64) || p.Multiplier < 2 || p.Multiplier > 255 || !isInterval(p.Transmit) || !isInterval(p.Receive) {
			refuse("BFD profile %q: FRR takes multipliers of 2 to 255 and intervals of 10 to 60000 ms", p.Name)
		}
	}
	for _, x := range b.VRFs {
		errs = append(errs, checkVRF(x))
	}
	for _, line := range b.Raw {
		if strings.ContainsAny(line, "\x00\n\r") {
			refuse("raw line %q is more than one", Redact(line))
		}
	}
	return errors.Join(errs...)
}

func isInterval(d time.Duration) bool {
	return d >= 10*time.Millisecond && d <= time.Minute && d%time.Millisecond == 0
}

func checkVRF(x model.BGPVRF) error {
	if !isName(x.Name, 15) {
		return fmt.Errorf("VRF %q: no name for FRR", x.Name)
	}
	for _, text := range append(append([]string{x.RD}, x.Import...), x.Export...) {
		if strings.Trim(text, "0123456789.:") != "" {
			return fmt.Errorf("VRF %s: %q is neither a route distinguisher nor a target", x.Name, text)
		}
	}
	return nil
}

func checkPeer(b model.BGP, p model.Peer) error {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("peer "+p.Name+": "+format, a...)
	}
	switch {
	case !isName(p.Name, 64):
		return refuse("the name has other signs than letters, digits, dots, underscores, hyphens")
	case (p.Interface == "") == !p.Address.IsValid():
		return refuse("it needs an address or an interface")
	case p.Interface != "" && !isName(p.Interface, 15):
		return refuse("%q is no interface's name", p.Interface)
	case p.Multihop > 0 && p.TTLSecurity > 0:
		return refuse("multihop and TTL security exclude each other: the one lets packets come from afar, the other not")
	case p.Multihop > 0 && p.AS.Internal(b.AS):
		return refuse("an internal peer needs no multihop")
	case !isPassword(p.Password.Reveal()):
		return refuse("FRR takes passwords of 1 to 80 printable signs without blanks")
	case p.BFD != "" && !hasProfile(b, p.BFD):
		return refuse("there is no BFD profile %s", p.BFD)
	case p.Source.IsValid() && p.Address.IsValid() && p.Source.Is4() != p.Address.Is4():
		return refuse("its address %s and our source %s are of two families", p.Address, p.Source)
	}
	for _, f := range p.Families {
		if f.Family == model.EVPN && (f.WarnPrefixes > 0 || len(f.In.Prefixes)+len(f.Out.Prefixes) > 0) {
			return refuse("FRR counts and filters no prefixes in l2vpn evpn")
		}
		for _, r := range append(append([]model.PrefixRange{}, f.In.Prefixes...), f.Out.Prefixes...) {
			if !fits(r, f.Family) {
				return refuse("%s is no range of %s", r, f.Family)
			}
		}
	}
	return nil
}

func fits(r model.PrefixRange, name model.BGPFamily) bool {
	return r.Prefix.IsValid() && r.Prefix.Addr().Is4() == (name == model.IPv4Unicast) && r.Prefix == r.Prefix.Masked() &&
		r.Prefix.Addr() != netip.Addr{} && r.LE <= r.Prefix.Addr().BitLen()
}

func hasProfile(b model.BGP, name string) bool {
	for _, p := range b.Profiles {
		if p.Name == name {
			return true
		}
	}
	return false
}

func isName(name string, longest int) bool {
	const signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return len(name) >= 1 && len(name) <= longest && strings.Trim(name, signs) == ""
}

func isPassword(text string) bool {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return len(text) <= 80
}
