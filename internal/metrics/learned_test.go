package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestLearned: what cannot be read is not zero.
func TestLearned(t *testing.T) {
	var now Learned
	registry := prometheus.NewPedanticRegistry()
	RegisterLearned(registry, func() Learned { return now })
	names := []string{LearnedRead, LearnedDefaultHops, LearnedPrefixes}
	const read = `# HELP ovnbgp_learned_read Whether the BGP speaker, FRR or the one built in, could be asked what its neighbours tell.
# TYPE ovnbgp_learned_read gauge
ovnbgp_learned_read `
	if err := testutil.GatherAndCompare(registry, strings.NewReader(read+"0\n"), names...); err != nil {
		t.Error(err)
	}
	now = Learned{Read: true, Families: []LearnedFamily{
		{AFI: "ipv4", Speaker: 2, Kernel: 1, KernelRead: true, Received: 3}, {AFI: "ipv6", Speaker: 2, Received: 2}}}
	want := read + `1
# HELP ovnbgp_learned_default_next_hops Next hops of the default route that BGP neighbours tell: those the speaker uses (at=bgp), and those the main table has by it (at=kernel).
# TYPE ovnbgp_learned_default_next_hops gauge
ovnbgp_learned_default_next_hops{afi="ipv4",at="bgp"} 2
ovnbgp_learned_default_next_hops{afi="ipv4",at="kernel"} 1
ovnbgp_learned_default_next_hops{afi="ipv6",at="bgp"} 2
# HELP ovnbgp_learned_prefixes Prefixes that all BGP neighbours together have told and the filters have let in.
# TYPE ovnbgp_learned_prefixes gauge
ovnbgp_learned_prefixes{afi="ipv4"} 3
ovnbgp_learned_prefixes{afi="ipv6"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}
