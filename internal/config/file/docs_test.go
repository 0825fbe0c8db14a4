package file_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config/file"
)

var updateDocs = flag.Bool("update-docs", false, "rewrite docs/bgp-agent.conf")

// TestReferenceInDocs keeps the committed reference what the table of options says.
func TestReferenceInDocs(t *testing.T) {
	const path = "../../../docs/bgp-agent.conf"
	if *updateDocs {
		if err := os.WriteFile(path, []byte(file.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(file.Reference(), string(got)); d != "" {
		t.Errorf("docs/bgp-agent.conf is not what `ovnbgp config reference` prints; run go generate ./internal/config/file (-want +got):\n%s", d)
	}
}
