package status

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// update is a flag of the test binary.
var update = flag.Bool("update", false, "rewrite the golden files")

func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func healthy() Report {
	return Report{
		Version: "1.0", Time: at(100), Synced: true,
		Source: Source{InSync: true, Since: at(0), Name: "OVN_Northbound", Database: "5f1c", Known: "5f1c"},
		Subsystems: []Subsystem{
			{Name: "kernel", Role: Carrier, Read: true, Writes: 31},
			{Name: "bgp-nic", Role: Announcer, Read: true, Writes: 2},
		},
		Wanted: 2, Announced: []string{"bgp-vrf 203.0.113.8/32", "bgp-vrf 203.0.113.9/32"},
		Decisions: []ReasonCount{{Verdict: model.Announced, Reason: "floating-ip", Count: 2},
			{Verdict: model.Suppressed, Reason: "address-scope", Count: 11}},
		Counts:   []Count{{Subsystem: "kernel", Kind: "route", Wanted: 2}, {Subsystem: "kernel", Kind: "rule", Wanted: 2}},
		LastGood: at(98),
		Rounds: []Round{{At: at(98), Triggers: []string{"event", "drift"}, Seconds: 0.0042,
			Steps: map[plan.Verb]int{plan.Create: 3, plan.Delete: 1}, Result: "ok"}},
	}
}

func reports() map[string]Report {
	list := map[string]Report{"healthy": healthy()}

	r := healthy()
	r.Troubles = []Object{{Subsystem: "kernel", Object: "route 203.0.113.9/32 dev br-ex table 10", State: Failing,
		Verb: plan.Create, Err: "no device br-ex\nmake it", Since: at(30), Tries: 7}}
	r.MoreTroubles, r.Withheld = 3, []string{"bgp-vrf 203.0.113.9/32"}
	r.Counts[0].Troubled = 1
	r.Announced = r.Announced[:1]
	list["failing"] = r

	r = healthy()
	r.DrainedSince = at(-500)
	list["drained"] = r

	r = healthy()
	l := learning(learnedPath("fe80::1%eth1", "eth1"), learnedPath("fe80::2%eth2", "eth2"))
	l.Neighbors[0].Families = append(l.Neighbors[0].Families, model.SessionFamily{Family: model.IPv6Unicast})
	l.Main = []model.MainRoute{mainRoute("bgp", "fe80::1%eth1", "fe80::2%eth2")}
	r.Speaker, r.Learned = "frr (configured)", LearnedOf(l, nil)
	r.Remarks = r.Learned.Remarks(func(model.BGPFamily) bool { return true })
	list["learned"] = r

	r = healthy()
	r.Wanted = 1
	r.Held = &Held{Hash: "c8069ca23633", Since: at(40), Release: at(340), Accept: "ovnbgp sync --accept-withdrawals=c8069ca23633",
		Keys: []HeldKey{{Key: "bgp-vrf 203.0.113.9/32", Class: HeldDoubtful, Text: "port p1 is down, its interface is here"}}}
	list["held"] = r

	r = healthy()
	r.Source = Source{Since: at(90), Err: "nb: not in sync", Database: "5f1c"}
	list["gate"] = r

	r = healthy()
	for i := range 11 {
		r.Remarks = append(r.Remarks, Remark{Reason: "bad-value", Row: fmt.Sprintf("NAT %04d", i),
			Text: `external_ip of NAT has a value that cannot be understood, "x": not an IP address`, Fix: "correct the value"})
	}
	r.MoreRemarks = 5
	list["remarks"] = r

	r = healthy()
	r.Refused = &Refused{Since: at(50), Problems: []string{
		`/etc/ovn-bgp-agent/bgp-agent.conf:7: [DEFAULT] bgp_AS = "many": must be an AS number`}}
	list["refused"] = r

	list["starting"] = Report{Time: at(1), Source: Source{Since: at(0), Err: "nb: not in sync"},
		Rounds: []Round{{At: at(0), Triggers: []string{"start"}, Result: "gate-closed"}}}
	return list
}

func TestWrite(t *testing.T) {
	for name, r := range reports() {
		r.Judge()
		var text bytes.Buffer
		if err := Write(&text, r); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The report travels to the command line as JSON and must come back as it was.
func TestReportSurvivesJSON(t *testing.T) {
	for name, r := range reports() {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
