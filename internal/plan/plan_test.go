package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDifferencesInKeyOrder(t *testing.T) {
	want := map[string]int{"b": 1, "d": 1, "a": 1, "e": 2}
	have := map[string]string{"c": "x", "b": "other", "e": "same"}
	same := func(_ int, h string) bool { return h == "same" }
	got := Differences(want, have, strings.Compare, same)
	if d := cmp.Diff([]Difference[string, int, string]{
		{Key: "a", Want: 1, Wanted: true},
		{Key: "b", Want: 1, Have: "other", Wanted: true, There: true},
		{Key: "c", Have: "x", There: true},
		{Key: "d", Want: 1, Wanted: true},
	}, got); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
}

func TestServesKey(t *testing.T) {
	for _, c := range []struct {
		serves []string
		want   bool
	}{{nil, true}, {[]string{}, false}, {[]string{"k"}, true}, {[]string{"other"}, false}} {
		if got := (Step{Serves: c.serves}).ServesKey("k"); got != c.want {
			t.Errorf("a step that serves %#v serves k: %v, want %v", c.serves, got, c.want)
		}
	}
}

func TestPreviewText(t *testing.T) {
	p := Preview{Steps: []Planned{
		{Subsystem: "kernel", Verb: Create, Object: "rule to 203.0.113.9/32 lookup 17", Why: "port x"},
		{Subsystem: "ovs", Verb: Delete, Object: "flow"},
	}, Problems: []string{"frr: not read"}}
	var text strings.Builder
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	want := "kernel  create rule to 203.0.113.9/32 lookup 17  # port x\novs     delete flow\n! frr: not read\n"
	if d := cmp.Diff(want, text.String()); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
}

// A step that serves nothing must not arrive as one that serves everything.
func TestServesSurvivesJSON(t *testing.T) {
	for _, serves := range [][]string{nil, {}, {"k"}} {
		raw, err := json.Marshal(Planned{Serves: serves})
		if err != nil {
			t.Fatal(err)
		}
		var back Planned
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		if (back.Serves == nil) != (serves == nil) || !slices.Equal(back.Serves, serves) {
			t.Errorf("%#v came back as %#v", serves, back.Serves)
		}
	}
}
