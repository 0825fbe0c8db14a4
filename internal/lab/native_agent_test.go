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
	for _, demo := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "bgp-agent.conf")
		must(t, os.WriteFile(path, []byte(f.agentSettings(NativeOptions{Demo: demo, AgentConfig: "[log]\nlevel = debug\n"})), 0o600))
		result, err := file.Load([]file.Source{{Path: path}}, true)
		must(t, err, result.Startable())
		if s := result.Settings; s.Node.ExposeTenantNetworks != demo || s.Log.Level != "debug" || len(s.Northbound.Endpoints) != 1 {
			t.Errorf("demonstration %t: settings %+v", demo, s)
		}
	}
}
