package reconcile

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/model"
)

// A delete says what has changed, where a decision or the database knows: in the preview and in the log alike.
func TestDeletesSayWhatChanged(t *testing.T) {
	at := netip.MustParseAddr("203.0.113.9")
	moved := model.Decision{Address: at, Key: "a", Verdict: model.Elsewhere, Evidence: model.Explained, Text: "port vm1 is on compute2"}
	hides := model.Decision{Address: at, Key: "a", Verdict: model.Suppressed, Evidence: model.Explained, Text: "the policy denies it"}
	rowless := model.Decision{Address: at, Key: "a", Verdict: model.Unknown, Evidence: model.Unexplained, Text: "no row has it"}
	part := model.Decision{Address: at, Key: "a", Verdict: model.Announced, Evidence: model.Explained, Text: "announced as part of 10.0.0.0/24"}
	for _, c := range []struct {
		name   string
		local  []model.Decision
		row    model.Decision
		serves []string // by the carrier's delete
		why    string
		of     string // why of the carrier's delete, where it is another
	}{
		{name: "nothing is known", why: "test"},
		{name: "a decision of the round", local: []model.Decision{moved}, why: "test: port vm1 is on compute2"},
		{name: "the input explains", row: rowless, why: "test: no row has it"},
		{name: "a decision explains, the input is not asked", local: []model.Decision{hides}, row: moved, why: "test: the policy denies it"},
		{name: "the place counts most", local: []model.Decision{hides, moved}, why: "test: port vm1 is on compute2"},
		{name: "but as part of something else it is", local: []model.Decision{part}, why: "test: announced as part of 10.0.0.0/24"},
		{name: "several keys", local: []model.Decision{moved}, serves: []string{"x", "a", "b"}, why: "test: port vm1 is on compute2",
			of: "test: port vm1 is on compute2 (and 1 more)"}, // b is wanted
		{name: "no key", local: []model.Decision{moved}, serves: []string{}, why: "test: port vm1 is on compute2", of: "test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := standing("a", "b")
			w.known, w.database = "A", "A"
			var log bytes.Buffer
			change := func(o *Options[*world, keys]) {
				o.Log = logTo(&log)
				if c.row.Text != "" {
					o.Explain = func(*world, []string) map[string]model.Decision { return map[string]model.Decision{"a": c.row} }
				}
			}
			play(t, w, change, func(t *testing.T, l *loopOf) {
				w.want, w.decisions = []string{"b"}, c.local
				if c.serves != nil {
					w.carriers.serves = func(string) []string { return c.serves }
				}
				if c.of == "" {
					c.of = c.why
				}
				preview, err := l.Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.poke()
				var text strings.Builder
				if err := preview.Write(&text); err != nil {
					t.Fatal(err)
				}
				if want := "nic     delete address a  # " + c.why + "\nkernel  delete carrier a  # " + c.of + "\n"; text.String() != want {
					t.Errorf("preview:\n%swant:\n%s", &text, want)
				}
				want := "level=INFO msg=step subsystem=nic object=\"address a\" verb=delete why=" + quoted(c.why) +
					"\nlevel=INFO msg=step subsystem=kernel object=\"carrier a\" verb=delete why=" + quoted(c.of) + "\n"
				if log.String() != want {
					t.Errorf("log:\n%swant:\n%s", &log, want)
				}
			})
		})
	}
}

// quoted writes a value as the log does.
func quoted(s string) string {
	if strings.Contains(s, " ") {
		return `"` + s + `"`
	}
	return s
}

// What is withdrawn because nothing carries it any more is still wanted: the log names what fails.
func TestSafetySaysWhatFails(t *testing.T) {
	w := standing("a", "b")
	var log bytes.Buffer
	play(t, w, func(o *Options[*world, keys]) { o.Log = logTo(&log) }, func(t *testing.T, _ *loopOf) {
		delete(w.carriers.have, "a")
		w.carriers.fail["create carrier a"] = errTest
		w.carriers.pokes <- struct{}{}
		w.pass(time.Minute)
		wantKeys(t, "announced", w.announcer.have, "b")
		const want = `object="address a" verb=delete why="wanted, but nothing carries it: create carrier a: refused"`
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log.String())
		}
	})
}
