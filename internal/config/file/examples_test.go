package file

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
)

var update = flag.Bool("update", false, "rewrite testdata/examples")

// TestExamples loads every file of docs/examples and compares what it means with a golden. What is not built yet is no
// mistake of an example.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../../../docs/examples/*.conf")
	if err != nil || len(paths) < 5 {
		t.Fatal(paths, err)
	}
	secrets := t.TempDir()
	for _, name := range []string{"leaf.password", "edge.password"} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".conf")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkNeeds(t, string(text))
			got, err := load(true, strings.ReplaceAll(string(text), "/etc/ovnbgp/", secrets+"/"))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "examples", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(bgpText(got.Settings.Node.BGP)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), bgpText(got.Settings.Node.BGP)); d != "" {
				t.Errorf("BGP (-want +got):\n%s", d)
			}
		})
	}
}

// checkNeeds: the head of an example names the files that whoever tries it must have.
func checkNeeds(t *testing.T, text string) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	_, needs, found := strings.Cut(head, "# Needs: ")
	if !found {
		t.Error("its head says nothing of what it needs")
	}
	for line := range strings.Lines(body) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), " = ")
		if strings.HasSuffix(name, "_file") && !strings.Contains(needs, path) {
			t.Errorf("its head does not say that it needs %s", path)
		}
	}
}

// TestReferenceExamples: the examples in the reference, without their comment signs, are a file that loads.
func TestReferenceExamples(t *testing.T) {
	var text strings.Builder
	example := false
	for line := range strings.Lines(Reference()) {
		switch {
		case line == "# For example:\n":
			example = true
		case !strings.HasPrefix(line, "#"):
			example = false
		case example:
			text.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), "   "))
		}
	}
	const path = "/etc/ovnbgp/edge.password"
	if !strings.Contains(text.String(), path) {
		t.Fatalf("no example of a password in\n%s", text.String())
	}
	password := written(t, "edge.password", "secret\n", 0o600)
	here := strings.NewReplacer(path, password, "/usr/local/bin/check-galera", "/bin/true")
	got, err := load(true, managed+here.Replace(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	node := got.Settings.Node
	if len(node.BGP.Instance.Peers) != 2 || len(node.BGP.ByKind) != 1 || len(node.HostAddresses) != 2 {
		t.Errorf("got %s and the host addresses %+v", bgpText(node.BGP), node.HostAddresses)
	}
}

// bgpText prints what the settings say of BGP, one thing a line.
func bgpText(c config.BGP) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	i := c.Instance
	line("speaker %s mode %s announce-with %s", c.Speaker, c.Mode, c.AnnounceWith)
	line("as %d router-id %s loopbacks %v", i.AS, i.RouterID, i.Loopbacks)
	line("graceful-restart %t %s", i.GracefulRestart.Enabled, i.GracefulRestart.RestartTime)
	line("paths %d relax %t", i.Multipath.Paths, i.Multipath.Relax)
	line("all%s", c.Attributes)
	for _, kind := range slices.Sorted(maps.Keys(c.ByKind)) {
		line("kind %s%s", kind, c.ByKind[kind])
	}
	for _, p := range i.Profiles {
		line("profile %s %d of %s, %s", p.Name, p.Multiplier, p.Transmit, p.Receive)
	}
	for _, p := range i.Peers {
		where := "interface " + p.Interface
		if p.Address.IsValid() {
			where = "address " + p.Address.String()
		}
		source := ""
		if p.Source.IsValid() {
			source = " source " + p.Source.String()
		}
		line("peer %s %s as %s multihop %d ttl-security %d%s", p.Name, where, p.AS, p.Multihop, p.TTLSecurity, source)
		line("  timers %s %s %s password %q bfd %q control-plane %t extended-nexthop %t own-as %t", p.Keepalive, p.Hold,
			p.ConnectRetry, p.Password, p.BFD, p.BFDControlPlane, p.ExtendedNextHop, p.AllowOwnAS)
		for _, f := range p.Families {
			line("  %s warn %d limit %d next-hop-self %t", f.Family, f.WarnPrefixes, f.LimitPrefixes, f.NextHopSelf)
			line("    in%s", f.In)
			line("    out%s", f.Out)
		}
	}
	return b.String()
}
