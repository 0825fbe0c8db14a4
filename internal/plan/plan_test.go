package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffWalksTheUnionInKeyOrder(t *testing.T) {
	want := map[string]int{"b": 1, "d": 1, "a": 1}
	have := map[string]string{"c": "x", "b": "y"}
	var got []string
	for c := range Diff(want, have) {
		got = append(got, c.Key+map[bool]string{true: " wanted"}[c.Want != nil]+map[bool]string{true: " there"}[c.Have != nil])
	}
	if d := cmp.Diff([]string{"a wanted", "b wanted there", "c there", "d wanted"}, got); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	for range Diff(want, have) {
		break // a walk may be left early
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
