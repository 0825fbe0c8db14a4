package metrics

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

var updateDocs = flag.Bool("update-docs", false, "rewrite docs/metrics.md")

// descriptions is a registry that only asks what it would be told.
type descriptions struct {
	prometheus.Registerer
	lines []string
}

func (d *descriptions) MustRegister(collectors ...prometheus.Collector) {
	described := regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)"`)
	for _, c := range collectors {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			m := described.FindStringSubmatch(desc.String())
			d.lines = append(d.lines, fmt.Sprintf("| `%s` | %s |\n", m[1], m[2]))
		}
	}
}

// TestDocs keeps docs/metrics.md what the code says.
func TestDocs(t *testing.T) {
	var d descriptions
	New(&d, "test")
	RegisterReadings(&d, func() Readings { return Readings{} })
	RegisterHostAddresses(&d, func() HostAddresses { return HostAddresses{} })
	RegisterPeers(&d, func() []Peer { return nil })
	RegisterLearned(&d, func() Learned { return Learned{} })
	slices.Sort(d.lines)
	want := "# Metrics\n\nServed in Prometheus' text form on `[metrics] listen`, path `/metrics`. Made from the code; do not edit.\n\n" +
		"| Name | Meaning |\n|--|--|\n" + strings.Join(d.lines, "")
	const path = "../../docs/metrics.md"
	if *updateDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not what the code has; run go generate ./internal/metrics (-want +got):\n%s", diff)
	}
}
