package text

import (
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// A raw line that is refused is named by its file and line, remarks and blank lines counted.
func TestRawPlace(t *testing.T) {
	raw := []string{"! a remark", "router bgp 64999", "", " neighbor a timers 1 3", " neighbor b timers 1 3"}
	b := model.BGP{Raw: raw, RawFile: "/etc/ovnbgp/raw.conf"}
	ours := Parse("router bgp 64999\n neighbor b timers 3 9\n")
	wrong := contradiction(ours, Parse(strings.Join(raw, "\n")), nil)
	if wrong == nil {
		t.Fatal("no contradiction")
	}
	if got := rawPlace(b, wrong.statement...); got != "/etc/ovnbgp/raw.conf:5" {
		t.Errorf("%s: %v", got, wrong)
	}
	if wrong = contradiction(ours, Parse("route-map "+Prefix+"x permit 1"), nil); wrong == nil || rawPlace(b, wrong.statement...) != "/etc/ovnbgp/raw.conf" {
		t.Errorf("%v", wrong)
	}
}
