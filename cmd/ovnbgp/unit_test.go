package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestUnitLetsTheAgentWork: what the agent does to the host must be possible in the sandbox that the unit builds around it.
func TestUnitLetsTheAgentWork(t *testing.T) {
	text, err := os.ReadFile("../../packaging/ovnbgp-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(name, "#") {
			unit[name] = append(unit[name], strings.Fields(value)...)
		}
	}
	for _, need := range []struct{ option, word, why string }{
		{"CapabilityBoundingSet", "CAP_NET_ADMIN", "the kernel is changed"},
		{"CapabilityBoundingSet", "CAP_NET_RAW", "the speaker built in listens for neighbours without addresses"},
		{"CapabilityBoundingSet", "CAP_NET_BIND_SERVICE", "the speaker built in listens on port 179"},
		{"CapabilityBoundingSet", "CAP_DAC_OVERRIDE", "FRR's directory and sockets are user frr's"},
		{"CapabilityBoundingSet", "CAP_CHOWN", "frr_mode = managed hands its files to user frr"},
		{"ReadWritePaths", "-/etc/frr", "frr_mode = managed writes FRR's files"},
		{"RuntimeDirectory", "ovnbgp", "the socket and the lock are there"},
		{"StateDirectory", "ovnbgp", "a drain outlives a reboot"},
	} {
		if !slices.Contains(unit[need.option], need.word) {
			t.Errorf("%s has no %s, and %s", need.option, need.word, need.why)
		}
	}
}
