package agent

import (
	"context"
	"strings"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// learned is the way out that BGP neighbours tell, for people and metrics. It is read when somebody asks, and goes into no
// decision: where the speaker is the one built in, its routes reach the kernel by way of the source rib.
func (n *node) learned(ctx context.Context) *status.Learned {
	const enough = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	if !n.embedded() {
		return status.LearnedOf(n.bgpd.Snapshot(ctx))
	}
	return status.LearnedOf(n.learnedHere(ctx))
}

// learnedHere asks the speaker built in, and the kernel for what is there by us.
func (n *node) learnedHere(ctx context.Context) (l model.Learning, err error) {
	if l.Neighbors, err = n.gobgp.Sessions(ctx); err != nil {
		return model.Learning{}, err
	}
	if l.RIB, err = n.rib.Defaults(); err != nil {
		return model.Learning{}, err
	}
	l.RIB = desired.Used(l.RIB, n.source.config.Load().BGP.Instance.Multipath)
	if l.Main, err = n.carriers.Defaults(ctx); err != nil {
		l.MainUnknown = err.Error()
	}
	return l, nil
}

// takesDefault tells whether the default route of a family is meant to be taken. What filters an FRR has that is not ours
// nobody knows here, so its neighbours are taken to be asked for it.
func takesDefault(c config.BGP) func(model.BGPFamily) bool {
	if c.Speaker != config.SpeakerEmbedded && c.Mode != config.ModeManaged {
		return func(model.BGPFamily) bool { return true }
	}
	return c.Instance.TakesDefault
}

// measureLearned is the same for the metrics.
func (n *node) measureLearned() metrics.Learned {
	return learnedReadings(n.learned(context.Background()))
}

func learnedReadings(l *status.Learned) metrics.Learned {
	m := metrics.Learned{Read: l.Err == ""}
	for _, d := range l.Defaults {
		afi, _, _ := strings.Cut(string(d.Family), " ")
		f := metrics.LearnedFamily{AFI: afi, Received: d.Received, KernelRead: d.MainErr == ""}
		f.Speaker, f.Kernel = d.NextHops()
		m.Families = append(m.Families, f)
	}
	return m
}
