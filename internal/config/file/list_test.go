package file

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitList(t *testing.T) {
	for _, c := range []struct {
		raw           string
		words, quoted []string // of a list whose items have no comma in them, and of one whose items may
	}{
		{"", nil, nil},
		{"a, b ,,c\n d,", []string{"a", "b", "c", "d"}, []string{"a", "b", "c", "d"}},
		{`"a,b"`, []string{"a", "b"}, []string{"a,b"}},
		{`'a,b'`, []string{"a", "b"}, []string{"a,b"}},
		{`"a,b",`, []string{"a,b"}, []string{"a,b"}},
		{`"a,b", c`, []string{"a,b", "c"}, []string{"a,b", "c"}},
		{`c , "a, b"`, []string{"c", "a, b"}, []string{"c", "a, b"}},
		{`"a,b","c"`, []string{"a,b", "c"}, []string{"a,b", "c"}},
		{`"a'b,c"`, []string{"a'b", "c"}, []string{"a'b,c"}},
		{`19" rack, it's`, []string{`19" rack`, "it's"}, []string{`19" rack`, "it's"}},
		{`""`, nil, nil},
	} {
		for commas, want := range map[bool][]string{false: c.words, true: c.quoted} {
			got, err := splitList(c.raw, commas)
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("%q, commas %t (-want +got): %v\n%s", c.raw, commas, err, d)
			}
		}
	}
}

func TestQuotedOnlyEntry(t *testing.T) {
	got, err := load(true, "[policy]\ndeny_networks = \"a,b\"\nallow_routers = 'c, d'\ndeny_external_ids = \"owner=x,y\"\n")
	if err != nil {
		t.Fatal(err)
	}
	p := got.Settings.Node.Policy
	if n := p.Networks.Deny; len(n) != 1 || n[0] != "a,b" {
		t.Errorf("deny_networks: %q", n)
	}
	if r := p.Routers.Allow; len(r) != 1 || r[0] != "c, d" {
		t.Errorf("allow_routers: %q", r)
	}
	if e := p.ExternalIDs.Deny; len(e) != 1 || e[0].Value != "x,y" {
		t.Errorf("deny_external_ids: %v", e)
	}
}
