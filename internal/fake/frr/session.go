package frr

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// session is one connection: the node it is in.
type session struct {
	bgp         *BGP
	configuring bool
	in          *instance
	family      string
	routeMap    *routeMap
}

// Statuses, as bgpd has them.
const (
	success      = 0
	warning      = 1
	noSuch       = 2
	configFailed = 13
)

// answer runs a command as far as the failure that was asked for lets it.
func (s *session) answer(command string) (out string, status byte, hangUp bool) {
	b := s.bgp
	b.mu.Lock()
	defer b.mu.Unlock()
	words := strings.Fields(command)
	switch {
	case command == "enable":
		return "", success, false
	case command == "configure terminal":
		s.configuring = true
		return "", success, false
	case command == "end":
		*s = session{bgp: b}
		return "", success, false
	case !s.configuring:
		if b.showsLeft--; b.showsLeft == 0 || b.showsLeft == 1 {
			return "", 0, true
		}
		out, status = s.show(words)
		return out, status, false
	}
	b.written = append(b.written, command)
	b.failAt--
	if b.failAt == 0 && b.failHow == Refuse {
		return "% no", configFailed, false
	}
	if b.failAt == 0 && b.failHow == HangUpBefore {
		return "", 0, true
	}
	out, status = s.configure(words)
	return out, status, b.failAt == 0 && b.failHow == HangUpAfter
}

func (s *session) configure(words []string) (string, byte) {
	line := strings.Join(words, " ")
	if done, out, status := s.policy(words); done {
		return out, status
	}
	switch {
	case line == "exit" && s.in != nil:
		s.in, s.family = nil, ""
	case line == "exit-address-family":
		s.family = ""
	case strings.HasPrefix(line, "router bgp "):
		return s.enter(words)
	case strings.HasPrefix(line, "no router bgp "):
		return s.remove(words[1:])
	case s.in == nil || words[0] == "frobnicate":
		return "% [BGP] Unknown command: " + line, noSuch
	case words[0] == "address-family":
		s.family = strings.Join(words[1:], " ")
	case words[0] == "no":
		s.drop(strings.Join(words[1:], " "))
	default:
		s.add(line)
	}
	return "", success
}

// policy runs what concerns route maps and community lists.
func (s *session) policy(words []string) (done bool, out string, status byte) {
	b, line := s.bgp, strings.Join(words, " ")
	switch {
	case words[0] == "route-map" && len(words) == 4:
		if s.routeMap = b.findMap(words[1]); s.routeMap == nil {
			s.routeMap = &routeMap{name: words[1]}
			b.maps = append(b.maps, s.routeMap)
		}
		s.in, s.family = nil, ""
	case strings.HasPrefix(line, "no route-map "):
		m := b.findMap(words[2])
		if m == nil {
			return true, "% Could not find route-map " + words[2], configFailed
		}
		b.maps = slices.DeleteFunc(b.maps, func(o *routeMap) bool { return o == m })
	case strings.HasPrefix(line, "bgp community-list standard ") && len(words) == 6:
		b.lists[words[3]] = words[5]
	case strings.HasPrefix(line, "no bgp community-list standard ") && b.lists[words[4]] != "":
		delete(b.lists, words[4])
	case line == "bgp graceful-shutdown" && b.drainAll && s.in != nil:
		return true, "%Failed: per-vrf graceful-shutdown config not permitted with global graceful-shutdown", configFailed
	case line == "bgp graceful-shutdown" && s.in == nil:
		b.drainAll = true
	case line == "exit" && s.routeMap != nil:
		s.routeMap = nil
	case s.routeMap != nil && (words[0] == "match" || words[0] == "set"):
		if !slices.Contains(s.routeMap.lines, line) {
			s.routeMap.lines = append(s.routeMap.lines, line)
		}
	default:
		return false, "", success
	}
	return true, "", success
}

func (s *session) enter(words []string) (string, byte) {
	vrf := ""
	if len(words) == 5 {
		vrf = words[4]
	}
	in := s.bgp.find(vrf)
	if in == nil {
		in = &instance{as: words[2], vrf: vrf, lines: map[string][]string{}}
		s.bgp.instances = append(s.bgp.instances, in)
	}
	if in.as != words[2] {
		return "BGP is already running; AS is " + in.as, configFailed
	}
	s.in, s.family, s.routeMap = in, "", nil
	return "", success
}

func (s *session) remove(words []string) (string, byte) {
	vrf := ""
	if len(words) == 5 {
		vrf = words[4]
	}
	b := s.bgp
	in := b.find(vrf)
	if in == nil || in.as != words[2] {
		return "% Can't find BGP instance", configFailed
	}
	if vrf == "" && len(b.instances) > 1 {
		return "% Cannot delete default BGP instance. Dependent VRF instances exist", configFailed
	}
	b.instances = slices.DeleteFunc(b.instances, func(i *instance) bool { return i == in })
	if !b.stubborn {
		delete(b.unbound, vrf)
		for _, family := range families() {
			delete(b.forgotten, spot{vrf, family})
		}
	}
	return "", success
}

func (s *session) add(line string) {
	if strings.HasPrefix(line, "bgp router-id ") {
		s.in.lines[""] = slices.DeleteFunc(s.in.lines[""], func(l string) bool {
			return strings.HasPrefix(l, "bgp router-id ")
		})
	}
	if vrf, ok := strings.CutPrefix(line, "import vrf "); ok && s.bgp.find(vrf) == nil {
		s.bgp.instances = append(s.bgp.instances, &instance{as: s.in.as, vrf: vrf, lines: map[string][]string{}})
	}
	if !slices.Contains(s.in.lines[s.family], line) {
		s.in.lines[s.family] = append(s.in.lines[s.family], line)
	}
}

func (s *session) drop(line string) {
	if strings.HasPrefix(line, "bgp ") && !slices.Contains(s.in.lines[""], line) {
		s.add("no " + line) // a default turned off is a line
		return
	}
	s.in.lines[s.family] = slices.DeleteFunc(s.in.lines[s.family], func(l string) bool { return l == line })
	if vrf, ok := strings.CutPrefix(line, "import vrf "); ok && !s.bgp.stubborn {
		delete(s.bgp.forgotten, spot{vrf, s.family})
	}
}

func (s *session) show(words []string) (string, byte) {
	switch line := strings.Join(words, " "); {
	case line == "show running-config":
		return s.bgp.running(), success
	case line == "show bgp vrfs json":
		return s.vrfs(), success
	case line == "show vrf":
		var out strings.Builder
		for vrf := range s.bgp.kernel {
			out.WriteString("vrf " + vrf + " id 7 table 10\n")
		}
		return out.String(), success
	case strings.HasPrefix(line, "show bgp ") && words[len(words)-1] == "json":
		return s.prefix(words[2:])
	default:
		return "% Unknown command: " + line, noSuch
	}
}

func (s *session) vrfs() string {
	type state struct {
		RouterID string `json:"routerId"`
		VRFID    int    `json:"vrfId"`
	}
	all := map[string]state{}
	for _, in := range s.bgp.instances {
		switch {
		case in.vrf == "":
			all["default"] = state{RouterID: in.routerID()}
		case s.bgp.kernel[in.vrf] && !s.bgp.unbound[in.vrf]:
			all[in.vrf] = state{RouterID: in.routerID(), VRFID: 7}
		default:
			all[in.vrf] = state{RouterID: in.routerID(), VRFID: -1}
		}
	}
	return encode(map[string]any{"vrfs": all, "totalVrfs": len(all)})
}

// prefix answers "[vrf NAME] ipv4 unicast 203.0.113.9/32 json".
func (s *session) prefix(words []string) (string, byte) {
	vrf := ""
	if words[0] == "vrf" {
		vrf, words = words[1], words[2:]
	}
	if s.bgp.find(vrf) == nil {
		return `{"warning":"View/Vrf is unknown"}`, warning
	}
	prefix, err := netip.ParsePrefix(words[2])
	if err != nil {
		return "% Malformed prefix", warning
	}
	type path struct {
		NextHopVRF string `json:"nhVrfName,omitempty"`
		Valid      bool   `json:"valid"`
	}
	var paths []path
	if vrf != "" && s.bgp.inTable(vrf, prefix) {
		paths = append(paths, path{Valid: true})
	}
	for _, in := range s.bgp.instances {
		if vrf != "" || in.vrf == "" || !s.bgp.inTable(in.vrf, prefix) {
			continue
		}
		if valid := s.bgp.leaks(in.vrf, familyOf(prefix)); valid || s.bgp.invalid {
			paths = append(paths, path{in.vrf, valid})
		}
	}
	if paths == nil {
		return "{\n}\n", success
	}
	return encode(map[string]any{"prefix": prefix.String(), "paths": paths}), success
}

func encode(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return string(out)
}
