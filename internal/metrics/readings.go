package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Readings are what others count for themselves, and is looked at when somebody asks.
type Readings struct {
	Ready     bool
	Drained   bool
	Databases []Database
	Writes    map[string]uint64 // by subsystem
	// ConfigGood tells whether the configuration that was read last is in force, ConfigRead when one was accepted last.
	ConfigGood bool
	ConfigRead time.Time
}

// Database is how a database's connection fares.
type Database struct {
	Name              string // its schema's: "OVN_Northbound"
	Connected         bool
	Connects, Updates uint64 // since the agent's start
	Rows              int
}

// readings collects by asking. It keeps nothing between scrapes.
type readings struct {
	read                                                func() Readings
	ready, connected, connects, updates, rows, writings *prometheus.Desc
	configGood, configRead, drained                     *prometheus.Desc
}

// RegisterReadings has a registry ask for readings at every scrape.
func RegisterReadings(registry prometheus.Registerer, read func() Readings) {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	registry.MustRegister(&readings{
		read:       read,
		ready:      describe(Ready, "Whether a full round has worked and the sources are in sync."),
		drained:    describe(Drained, "Whether the node is drained: peers are asked to send traffic elsewhere."),
		configGood: describe(ConfigGood, "Whether the configuration that was read last is in force."),
		configRead: describe(ConfigRead, "When a configuration was put in force last."),
		connected:  describe(OVSDBConnected, "Whether the database is connected and read.", "db"),
		connects:   describe(OVSDBConnects, "Times the database was connected and read.", "db"),
		updates:    describe(OVSDBUpdates, "Updates received.", "db"),
		rows:       describe(OVSDBRows, "Rows held.", "db"),
		writings:   describe(Writes, "Messages sent that change something, at the agent's own sockets.", "subsystem"),
	})
}

// Describe implements prometheus.Collector.
func (r *readings) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.ready, r.connected, r.connects, r.updates, r.rows, r.writings, r.configGood,
		r.configRead, r.drained} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (r *readings) Collect(out chan<- prometheus.Metric) {
	now := r.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(r.ready, boolean(now.Ready))
	gauge(r.drained, boolean(now.Drained))
	gauge(r.configGood, boolean(now.ConfigGood))
	if !now.ConfigRead.IsZero() {
		gauge(r.configRead, float64(now.ConfigRead.UnixMilli())/1000)
	}
	for _, db := range now.Databases {
		gauge(r.connected, boolean(db.Connected), db.Name)
		gauge(r.rows, float64(db.Rows), db.Name)
		counter(r.connects, db.Connects, db.Name)
		counter(r.updates, db.Updates, db.Name)
	}
	for subsystem, n := range now.Writes {
		counter(r.writings, n, subsystem)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
