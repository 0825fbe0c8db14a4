package desired

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

var update = flag.Bool("update", false, "rewrite the expected states of testdata/*.txtar")

// A golden is a list of snapshots and, for each, what must be. A file's sections come in pairs: "G2 a port" holds
// rows, which change those of the sections before, and "G2 a port: want" what is different then in the state and
// the decisions: all of it in the first, in the others the lines gone and come.
type golden struct {
	path    string
	archive *txtar.Archive
	serves  bool
	steps   []step
}

type step struct {
	name string
	in   Input
	c    config.Node
	want string
	text string // the whole state and decisions
}

func TestGoldens(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			g := load(t, path)
			if *update {
				g.rewrite(t)
			}
			for i, s := range g.steps {
				if diff := cmp.Diff(s.want, g.changes(i)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", s.name, diff)
				}
			}
			g.playEveryWay(t)
		})
	}
}

const want = ": want"

// changes is what step i adds to and takes from what was before it.
func (g golden) changes(i int) string {
	if i == 0 {
		return g.steps[0].text
	}
	return difference(g.steps[i-1].text, g.steps[i].text)
}

func load(t *testing.T, path string) golden {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{path: path, archive: archive, serves: strings.HasPrefix(filepath.Base(path), "serves")}
	state := rows{}
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, want); ok {
			if len(g.steps) == 0 || g.steps[len(g.steps)-1].name != name {
				t.Fatalf("%s: %q does not follow its rows", path, f.Name)
			}
			g.steps[len(g.steps)-1].want = string(f.Data)
			continue
		}
		state = state.apply(t, string(f.Data))
		in, c := state.input(t), state.config(t)
		g.steps = append(g.steps, step{name: f.Name, in: in, c: c, text: describe(in, c, g.serves)})
	}
	return g
}

func (g golden) rewrite(t *testing.T) {
	t.Helper()
	var files []txtar.File
	i := 0
	for _, f := range g.archive.Files {
		if strings.HasSuffix(f.Name, want) {
			continue
		}
		g.steps[i].want = g.changes(i)
		files = append(files, f, txtar.File{Name: f.Name + want, Data: []byte(g.steps[i].want)})
		i++
	}
	out := txtar.Format(&txtar.Archive{Comment: g.archive.Comment, Files: files})
	if err := os.WriteFile(g.path, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// playEveryWay plays the list again in ways that must not matter: what is decided depends on the snapshot and not
// on the order of its rows nor on what came before.
func (g golden) playEveryWay(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range g.steps {
		for range 5 {
			g.same(t, "shuffled", s, reorder(s.in, func(n int, swap func(i, j int)) {
				random.Shuffle(n, swap)
			}))
		}
		g.same(t, "reversed", s, reorder(s.in, func(n int, swap func(i, j int)) {
			for i := range n / 2 {
				swap(i, n-1-i)
			}
		}))
	}
	for _, s := range slices.Backward(g.steps) { // each after another, and after nothing
		Node(Input{}, defaults())
		g.same(t, "backwards", s, s.in)
		g.same(t, "twice", s, s.in)
		checkState(t, s)
		checkWhy(t, s)
	}
}

// same compares what is made of the input of a step, put differently, with what was made of it before.
func (g golden) same(t *testing.T, how string, s step, in Input) {
	t.Helper()
	if diff := cmp.Diff(s.text, describe(in, s.c, g.serves)); diff != "" {
		t.Errorf("%s, %s (-want +got):\n%s", s.name, how, diff)
	}
}

// reorder puts every list of the snapshot into another order.
func reorder(in Input, shuffle func(n int, swap func(i, j int))) Input {
	in.OVN.Ports = mixed(in.OVN.Ports, shuffle)
	in.OVN.Switches = mixed(in.OVN.Switches, shuffle)
	in.OVN.Routers = mixed(in.OVN.Routers, shuffle)
	in.OVN.RouterPorts = mixed(in.OVN.RouterPorts, shuffle)
	in.OVN.NATs = mixed(in.OVN.NATs, shuffle)
	in.OVN.Balancers = mixed(in.OVN.Balancers, shuffle)
	in.OVN.StaticRoutes = mixed(in.OVN.StaticRoutes, shuffle)
	in.OVN.DHCPOptions = mixed(in.OVN.DHCPOptions, shuffle)
	in.OVN.HAGroups = mixed(in.OVN.HAGroups, shuffle)
	in.OVN.Absent = mixed(in.OVN.Absent, shuffle)
	in.OVN.Local.Mappings = mixed(in.OVN.Local.Mappings, shuffle)
	in.OVN.Local.Bridges = mixed(in.OVN.Local.Bridges, shuffle)
	in.OVN.Local.Interfaces = mixed(in.OVN.Local.Interfaces, shuffle)
	in.Host.RTTables = mixed(in.Host.RTTables, shuffle)
	in.Host.BridgeTables = mixed(in.Host.BridgeTables, shuffle)
	in.Host.Tables = mixed(in.Host.Tables, shuffle)
	return in
}

func mixed[T any](list []T, shuffle func(n int, swap func(i, j int))) []T {
	list = slices.Clone(list)
	shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// checkState holds what is true of every state, and that Node leaves its input alone.
func checkState(t *testing.T, s step) {
	t.Helper()
	before := fmt.Sprintf("%+v", s.in)
	n, decisions := Node(s.in, s.c)
	again, _ := Node(s.in, s.c)
	if after := fmt.Sprintf("%+v", s.in); before != after {
		t.Errorf("%s: the input was changed", s.name)
	}
	if diff := cmp.Diff(n, again, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("%s: twice is not the same:\n%s", s.name, diff)
	}
	keys := n.Keys()
	sorted := slices.IsSortedFunc(n.Announcements, func(a, b model.Announcement) int {
		return a.Prefix.Compare(b.Prefix)
	})
	if !sorted || len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Errorf("%s: announcements are not sorted and single: %v", s.name, keys)
	}
	for _, a := range n.Announcements {
		if len(a.Kinds) == 0 || !slices.IsSorted(a.Kinds) || a.Kinds[0] == "" {
			t.Errorf("%s: %s is of the kinds %v", s.name, a.Key(), a.Kinds)
		}
	}
	for _, k := range keys {
		if !slices.ContainsFunc(decisions, func(d model.Decision) bool {
			return d.Key == k && d.Verdict == model.Announced
		}) {
			t.Errorf("%s: nothing says why %s is announced", s.name, k)
		}
		if s.c.Driver == config.DriverStretchedL2 || announcement(n, k).AsRoute {
			continue // packets do not come by here, or end here
		}
		for kind, ok := range map[string]bool{
			"rule":  served(n.Rules, k, func(r model.Rule) []string { return r.Serves }),
			"route": served(n.Routes, k, func(r model.Route) []string { return r.Serves }),
			"link":  served(n.Links, k, func(l model.Link) []string { return l.Serves }),
			"flow":  served(n.Flows, k, func(f model.Flow) []string { return f.Serves }),
		} {
			if !ok {
				t.Errorf("%s: no %s serves %s", s.name, kind, k)
			}
		}
	}
}

func announcement(n model.Node, key string) model.Announcement {
	i := slices.IndexFunc(n.Announcements, func(a model.Announcement) bool { return a.Key() == key })
	return n.Announcements[i]
}

func served[T any](list []T, key string, serves func(T) []string) bool {
	return slices.ContainsFunc(list, func(x T) bool { return slices.Contains(serves(x), key) })
}

func prefixOfKey(t *testing.T, key string) netip.Prefix {
	t.Helper()
	_, text, _ := strings.Cut(key, " ")
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkWhy asks Whys about each prefix that Node decided on: it must agree.
func checkWhy(t *testing.T, s step) {
	t.Helper()
	n, decisions := Node(s.in, s.c)
	keys := n.Keys()
	for _, d := range decisions {
		if !d.Address.IsValid() {
			continue
		}
		p := prefixOfKey(t, d.Key)
		if d.Verdict == model.Announced && d.Evidence == model.Explained {
			p = hostPrefix(d.Address) // as part of a subnet
		}
		got := Whys(s.in, s.c, p)[p]
		if (got.Verdict == model.Announced) != slices.Contains(keys, d.Key) {
			t.Errorf("%s: Why says %s of %s, and Node announces %v", s.name, got.Verdict, d.Address, keys)
		}
		if !slices.Contains(decisions, got) {
			t.Errorf("%s: Why says %+v, which Node does not", s.name, got)
		}
	}
}
