package file

import (
	"net/netip"
	"time"

	"ovnbgp/internal/config"
)

// The options of our own groups, which the old agent never had.

func safetyOptions() []option {
	at := func(s *config.Settings) *config.Safety { return &s.Safety }
	return []option{
		{Group: "safety", Name: "guard_percent", Default: "50",
			kind: integer(func(s *config.Settings) *int { return &at(s).GuardPercent }, 0, 100),
			Help: "Withdrawals that no row explains are held when they are more than this share of what was " +
				"announced, in percent."},
		{Group: "safety", Name: "guard_min", Default: "10",
			kind: integer(func(s *config.Settings) *int { return &at(s).GuardMin }, 0, 1000000),
			Help: "And at least so many. 0: none is ever held for its number."},
		{Group: "safety", Name: "guard_window", Default: "60",
			kind: seconds(func(s *config.Settings) *time.Duration { return &at(s).GuardWindow }, 1),
			Help: "Withdrawals within this time are counted together."},
		{Group: "safety", Name: "guard_hold", Default: "300",
			kind: seconds(func(s *config.Settings) *time.Duration { return &at(s).GuardHold }, 0),
			Help: "The same set is held no longer than this. 0: until it is accepted by hand."},
		{Group: "safety", Name: "carrier_grace", Default: "5",
			kind: seconds(func(s *config.Settings) *time.Duration { return &at(s).CarrierGrace }, 0),
			Help: "What brings packets to an announced address is mended for this long before the address is " +
				"withdrawn."},
		{Group: "safety", Name: "conditional_monitoring", Default: "true",
			kind: boolean(func(s *config.Settings) *bool { return &at(s).ConditionalMonitoring }),
			Help: "Copy only what this node needs of OVN's database, Northbound or Southbound, by conditions that " +
				"the database server compares with. false: copy all of it, should a server not bear them."},
	}
}

func pathOptions() []option {
	at := func(s *config.Settings) *config.Paths { return &s.Paths }
	return []option{
		{Group: "paths", Name: "api_socket", Default: "/run/ovnbgp/agent.sock",
			kind: path(func(s *config.Settings) *string { return &at(s).APISocket }),
			Help: "Socket that status, plan and explain ask."},
		{Group: "paths", Name: "lock_file", Default: "/run/ovnbgp/agent.lock",
			kind: path(func(s *config.Settings) *string { return &at(s).LockFile }),
			Help: "Lock that keeps a second agent off the node."},
		{Group: "paths", Name: "frr_sockets", Default: "/run/frr",
			kind: path(func(s *config.Settings) *string { return &at(s).FRRSockets }),
			Help: "Directory of FRR's sockets (bgpd.vty)."},
		{Group: "paths", Name: "frr_files", Default: "/etc/frr",
			kind: path(func(s *config.Settings) *string { return &at(s).FRRFiles }),
			Help: "Directory of frr.conf and daemons, which are written with frr_mode = managed."},
		{Group: "paths", Name: "openvswitch", Default: "/run/openvswitch",
			kind: path(func(s *config.Settings) *string { return &at(s).OpenVSwitch }),
			Help: "Directory of Open vSwitch's sockets (br-ex.mgmt)."},
		{Group: "paths", Name: "rt_tables", Default: "/etc/iproute2/rt_tables",
			kind: path(func(s *config.Settings) *string { return &at(s).RTTables }),
			Help: "Names of routing tables. A line that names a provider bridge gives the bridge its table. Read, " +
				"never written."},
		{Group: "paths", Name: "drain_file", Default: "/var/lib/ovnbgp/drained",
			kind: path(func(s *config.Settings) *string { return &at(s).DrainFile }),
			Help: "There while the node is drained (ovnbgp drain), across restarts and reboots."},
	}
}

func logOptions() []option {
	levels := []string{"debug", "info", "warn", "error"}
	formats := []string{"text", "json"}
	return []option{
		{Group: "log", Name: "level", Default: "info", Values: levels,
			kind: choice(func(s *config.Settings) *string { return &s.Log.Level }, levels...),
			Help: "The least that is logged. debug = true in [DEFAULT] means debug."},
		{Group: "log", Name: "format", Default: "text", Values: formats,
			kind: choice(func(s *config.Settings) *string { return &s.Log.Format }, formats...),
			Help: "use_json = true in [DEFAULT] means json."},
		{Group: "metrics", Name: "listen", Default: "127.0.0.1:9474",
			kind: addrPort(func(s *config.Settings) *netip.AddrPort { return &s.Metrics.Listen }),
			Help: "Address and port of /metrics, /livez, /readyz and /healthz. Empty: off."},
	}
}

// foreign are options of oslo.config and oslo.log that old files hold in [DEFAULT]. They are accepted in silence;
// only debug and use_json mean something here.
func foreign() []string {
	return []string{
		"config_dir", "config_file", "config_source",
		"debug", "default_log_levels", "fatal_deprecations", "instance_format", "instance_uuid_format",
		"log_color", "log_config", "log_config_append", "log_date_format", "log_dir", "log_file", "log_format",
		"log_rotate_interval", "log_rotate_interval_type", "log_rotation_type", "logdir", "logfile",
		"logging_context_format_string", "logging_debug_format_suffix", "logging_default_format_string",
		"logging_exception_prefix", "logging_user_identity_format", "max_logfile_count", "max_logfile_size_mb",
		"publish_errors", "rate_limit_burst", "rate_limit_except_level", "rate_limit_interval",
		"syslog_log_facility", "use_eventlog", "use_journal", "use_json", "use_stderr", "use_syslog", "verbose",
		"watch_log_file",
	}
}

// foreignFlags are those of the foreign options that are booleans.
func foreignFlags() []string {
	return []string{"debug", "fatal_deprecations", "log_color", "publish_errors", "use_eventlog", "use_journal", "use_json",
		"use_stderr", "use_syslog", "verbose", "watch_log_file"}
}
