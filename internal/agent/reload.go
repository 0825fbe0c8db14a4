package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/status"
)

// reload reads the configuration again. What decisions depend on takes effect at once; what was wired at start is
// named, and waits for a restart. A configuration that is wrong, or asks for what is not built, changes nothing.
func (a *Agent) reload() {
	log := a.log.With(slog.String("subsystem", "config"))
	result, err := a.options.Load()
	if err == nil {
		err = result.Startable()
	}
	if err == nil {
		err = sameUnderlay(a.wired.Node, result)
	}
	if err != nil {
		a.reloads.refuse(err, time.Now())
		log.Error("configuration not accepted, the old one stays in force", slog.Any("err", err))
		return
	}
	for _, w := range result.Warnings {
		log.Warn("configuration", slog.String("why", w.String()))
	}
	waiting := result.Waiting(a.wired)
	for _, w := range waiting {
		log.Warn("a changed option takes effect at the next start", slog.String("object", w.Option), slog.String("why", w.String()))
	}
	a.reloads.accepted(time.Now(), waiting)
	log.Info("configuration read")
	now := result.Settings.Node
	now.BGP = keepSpeaking(a.wired.Node.BGP, now.BGP)
	now.BGP.Speaker = a.node.speaks
	a.node.ovn.ExposeTenants(now.ExposesTenants())
	a.node.source.reconfigure(now)
}

// reloads remembers what came of reading the configuration, for those who ask.
type reloads struct {
	mu   sync.Mutex
	good time.Time       // when one was accepted last
	bad  *status.Refused // nil while the one read last is in force
	wait file.Problems   // options of the one accepted last that wait for a restart
}

func (r *reloads) accepted(now time.Time, waiting file.Problems) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.good, r.bad, r.wait = now.UTC(), nil, waiting
}

// remarks are about what was changed in the files and counts from the next start.
func (r *reloads) remarks() (list []status.Remark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.wait {
		at := w.File
		if w.Line > 0 {
			at = fmt.Sprintf("%s:%d", w.File, w.Line)
		}
		list = append(list, status.Remark{Reason: "needs-restart", Row: w.Option,
			Text: fmt.Sprintf("changed in the file, counts from the next start: %s: %q", at, w.Value), Fix: "restart the agent"})
	}
	return list
}

// refuse notes why a configuration was not accepted. It is refused since the first that was not, whatever came after.
func (r *reloads) refuse(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := now.UTC()
	if r.bad != nil {
		since = r.bad.Since
	}
	r.bad = &status.Refused{Since: since, Problems: strings.Split(err.Error(), "\n")}
}

func (r *reloads) refused() *status.Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

func (r *reloads) lastGood() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.good
}

// sameUnderlay refuses what cannot be changed under a running agent: the names by which its objects are known.
func sameUnderlay(old config.Node, result file.Result) error {
	now := result.Settings.Node
	if underlay(old) != underlay(now) {
		return errors.New("bgp_vrf, bgp_vrf_table_id and bgp_nic name what the agent has built: stop it, run " +
			"`ovnbgp cleanup` with the old configuration, then start it with the new one")
	}
	const later = "takes effect at the next start: put the old value back, or restart the agent"
	var wrong file.Problems
	if old.Driver != now.Driver {
		wrong = append(wrong, result.About("DEFAULT", "driver", later))
	}
	if old.Method != now.Method {
		wrong = append(wrong, result.About("DEFAULT", "exposing_method", later))
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// keepSpeaking is what the settings now say of BGP, with those who speak left as they were wired at start.
func keepSpeaking(wired, now config.BGP) config.BGP {
	now.Speaker, now.Mode = wired.Speaker, wired.Mode
	return now
}
