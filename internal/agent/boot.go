package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"ovnbgp/internal/atomicfile"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/source/host"
	"ovnbgp/internal/status"
)

// bootFile keeps, beside the drain file, in which boot of the host BGP has run last: it is what tells a restarted agent
// whether the host forwarded all the time.
func bootFile(drainFile string) string {
	if drainFile == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(drainFile), "boot")
}

// hasSpoken tells whether all that is to be announced has been told: OVN was read, and every announcer answered. Troubles
// of single addresses do not count, or a restart on a node that has some would cost all the others.
func hasSpoken(r status.Report) bool {
	return r.Synced && !slices.ContainsFunc(r.Subsystems, func(s status.Subsystem) bool {
		return s.Role == status.Announcer && !s.Read
	})
}

// keepBoot notes that BGP has run in this boot, once it has.
func (a *Agent) keepBoot(r status.Report) (done bool) {
	if !hasSpoken(r) {
		return false
	}
	path := bootFile(a.wired.Paths.DrainFile)
	if path == "" {
		return true // nobody keeps anything
	}
	if err := writeBoot(path); err != nil {
		a.log.Warn("the next start will count as one after a boot", slog.String("object", path), slog.Any("err", err))
	}
	return true
}

func writeBoot(path string) error {
	fresh, err := host.FreshBoot(path)
	if err != nil || !fresh {
		return err
	}
	id, err := host.BootID()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, []byte(id+"\n"), 0o644)
}

// forgetBoot lists the step that removes the file: after a cleanup nothing forwards.
func forgetBoot(path string) (steps []plan.Step) {
	if _, err := os.Lstat(path); err == nil {
		steps = append(steps, plan.Step{Verb: plan.Delete, Object: "file " + path, Why: "cleanup",
			Do: func(context.Context) error { return os.Remove(path) }})
	}
	return steps
}
