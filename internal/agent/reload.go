package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"ovnbgp/internal/config"
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
		err = sameUnderlay(a.wired.Node, result.Settings.Node)
	}
	if err != nil {
		a.reloads.refuse(err, time.Now())
		log.Error("configuration not accepted, the old one stays in force", slog.Any("err", err))
		return
	}
	for _, w := range result.Warnings {
		log.Warn("configuration", slog.String("why", w.String()))
	}
	if names := needRestart(a.wired, result.Settings); len(names) > 0 {
		log.Warn("changed settings take effect at the next start", slog.String("object", strings.Join(names, ", ")))
	}
	a.reloads.accepted(time.Now())
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
}

func (r *reloads) accepted(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.good, r.bad = now.UTC(), nil
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
func sameUnderlay(old, now config.Node) error {
	if underlay(old) != underlay(now) {
		return errors.New("bgp_vrf, bgp_vrf_table_id and bgp_nic name what the agent has built: stop it, run " +
			"`ovnbgp cleanup` with the old configuration, then start it with the new one")
	}
	if old.Driver != now.Driver || old.Method != now.Method {
		return fmt.Errorf("driver and exposing_method (%s, %s) take effect at the next start", now.Driver, now.Method)
	}
	return nil
}

// keepSpeaking is what the settings now say of BGP, with those who speak left as they were wired at start.
func keepSpeaking(wired, now config.BGP) config.BGP {
	now.Speaker, now.Mode = wired.Speaker, wired.Mode
	return now
}

// needRestart names the parts of the settings, decisions apart, that differ from those of the start: however often
// the configuration is read since, they wait.
func needRestart(old, now config.Settings) []string {
	var names []string
	before, after := old.Node.BGP, now.Node.BGP
	if before.Speaker != after.Speaker {
		names = append(names, "[bgp] speaker")
	}
	if before.Mode != after.Mode {
		names = append(names, "[bgp] frr_mode")
	}
	o, n := reflect.ValueOf(old), reflect.ValueOf(now)
	for i := range o.NumField() {
		if name := o.Type().Field(i).Name; name != "Node" && !reflect.DeepEqual(o.Field(i).Interface(), n.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}
