package lab

import (
	"os"
	"path/filepath"
	"testing"

	"ovnbgp/internal/config/file"
)

// What the lab's agents are given is a file that nobody has to be warned of.
func TestAgentSettingsAreStrict(t *testing.T) {
	f := &Fabric{Topology: DefaultTopology()}
	n := Node{NodeSpec: value[NodeSpec](t)(f.Topology.Node("compute1"))}
	for _, o := range []NativeOptions{{}, {Demo: true}, {Demo: true, Embedded: true}} {
		o.AgentConfig = "[log]\nlevel = debug\n"
		f.Topology.Embedded = o.Embedded
		path := filepath.Join(t.TempDir(), "bgp-agent.conf")
		must(t, os.WriteFile(path, []byte(f.agentSettings(n, o)), 0o600))
		result, err := file.Load([]file.Source{{Path: path}}, true)
		must(t, err, result.Startable())
		if s := result.Settings; s.Node.ExposeTenantNetworks != o.Demo || s.Log.Level != "debug" || len(s.Northbound.Endpoints) != 1 {
			t.Errorf("%+v: settings %+v", o, s)
		}
	}
}
