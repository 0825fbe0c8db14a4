package file

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWaiting(t *testing.T) {
	for _, c := range []struct {
		name, old, now string
		want           []string
	}{
		{"nothing", "[metrics]\nlisten =\n", "[metrics]\nlisten =\n", nil},
		{"decisions", "", "[DEFAULT]\nexpose_tenant_networks = true\n[policy]\ndeny_tags = a\n", nil},
		{"old spelling", "", "[DEFAULT]\novn_nb_connection = unix:/a.sock\n", []string{
			`1.conf:2: [DEFAULT] ovn_nb_connection = "unix:/a.sock": takes effect at the next start`}},
		{"ours", "", "[metrics]\nlisten =\n[bgp]\nspeaker = frr\nfrr_mode = observe\nrouter_id = 10.0.0.1\n", []string{
			`1.conf:2: [metrics] listen: takes effect at the next start`,
			`1.conf:4: [bgp] speaker = "frr": takes effect at the next start`,
			`1.conf:5: [bgp] frr_mode = "observe": takes effect at the next start`}},
		{"taken out", "[safety]\nguard_min = 3\n", "", []string{
			`(default): [safety] guard_min = "10": takes effect at the next start`}},
		{"debug stays", "[DEFAULT]\ndebug = true\n", "[DEFAULT]\ndebug = true\n", nil},
		{"debug", "", "[DEFAULT]\ndebug = true\n", []string{`1.conf:2: [DEFAULT] debug = "true": takes effect at the next start`}},
	} {
		old, err := load(false, c.old)
		if err != nil {
			t.Fatal(c.name, err)
		}
		now, err := load(false, c.now)
		if err != nil {
			t.Fatal(c.name, err)
		}
		got := map[string]bool{}
		for _, p := range now.Waiting(old.Settings) {
			got[p.String()] = true
		}
		want := map[string]bool{}
		for _, text := range c.want {
			want[text] = true
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
