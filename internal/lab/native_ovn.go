package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
)

// Schema files as Debian's packages install them.
const (
	switchSchema = "/usr/share/openvswitch/vswitch.ovsschema"
	nbSchema     = "/usr/share/ovn/ovn-nb.ovsschema"
	sbSchema     = "/usr/share/ovn/ovn-sb.ovsschema"
)

// Provider networks and the bridges they are on, on every chassis.
const (
	bridgeMappings = "physnet1:br-ex,physnet2:br-vlan"
	gatewayOption  = "enable-chassis-as-gw"
)

// NBSocket is the Northbound database's socket as seen from outside the nodes; of a cluster that of a member that
// answers.
func (f *Fabric) NBSocket() string {
	for _, m := range members() {
		if m > 1 && f.answers(m) && !f.answers(1) {
			return f.nodes[centralName].Path(m.socket())
		}
	}
	return f.nodes[centralName].Path(member(1).socket())
}

// SBSocket is the Southbound database's socket as seen from outside the nodes.
func (f *Fabric) SBSocket() string { return f.nodes[centralName].Path("/run/ovn/ovnsb_db.sock") }

// startCentral starts both OVN databases and ovn-northd.
func (f *Fabric) startCentral(ctx context.Context) error {
	n := f.nodes[centralName]
	for _, d := range []Database{Northbound, Southbound} {
		if err := createDatabase(ctx, n.Path(d.file()), d.schema()); err != nil {
			return err
		}
		if err := f.StartDatabase(ctx, d); err != nil {
			return err
		}
	}
	// BFD between gateways starves when the host is busy; OVN's default would move routers about for nothing.
	if _, err := n.Output(ctx, "ovn-nbctl", "--no-leader-only", "init", "--",
		"set", "NB_Global", ".", "options:bfd-min-rx=1000", "options:bfd-min-tx=500", "options:bfd-mult=6",
		"options:fdb_removal_limit=0", "options:ignore_lsp_down=false", "options:mac_binding_removal_limit=0",
		"external_ids:neutron\\:fip-distributed=True"); err != nil {
		return err
	}
	for _, d := range []Database{Northbound, Southbound} {
		if err := f.listen(ctx, d); err != nil {
			return err
		}
	}
	return f.startNorthd(ctx, []member{1})
}

func listen(port int) string { return "ptcp:" + strconv.Itoa(port) + ":0.0.0.0" }

func createDatabase(ctx context.Context, path, schema string) error {
	return ovsdbTool(ctx, "create", path, schema)
}

// startSwitches starts Open vSwitch and ovn-controller on every chassis. The empty database is made once and copied.
func (f *Fabric) startSwitches(ctx context.Context) error {
	template := filepath.Join(stateDir, "conf.db")
	if err := createDatabase(ctx, template, switchSchema); err != nil {
		return err
	}
	empty, err := os.ReadFile(template)
	if err != nil {
		return err
	}
	return each(f.Chassis(), func(n Node) error {
		if err := n.WriteFile("/etc/openvswitch/conf.db", string(empty), 0o640); err != nil {
			return err
		}
		// ovs-ctl reads it; a restart without it would blank the system id, and the chassis would be gone.
		if err := n.WriteFile("/etc/openvswitch/system-id.conf", n.Name+"\n", 0o644); err != nil {
			return err
		}
		return f.startSwitch(ctx, n)
	})
}

func (f *Fabric) startSwitch(ctx context.Context, n Node) error {
	if err := n.StartOVSDB(ctx); err != nil {
		return err
	}
	if _, err := n.Output(ctx, append([]string{"ovs-vsctl", "--no-wait"}, f.switchSettings(n.NodeSpec)...)...); err != nil {
		return err
	}
	if err := n.StartVswitchd(ctx); err != nil {
		return err
	}
	if err := poll(ctx, 30*time.Second, 100*time.Millisecond, func() error {
		return withLinks(n, func(h *netlink.Handle) error {
			return errors.Join(configure(h, "br-ex"), configure(h, "br-vlan"))
		})
	}); err != nil {
		return err
	}
	return n.StartController(ctx)
}

// StartOVSDB starts the node's ovsdb-server.
func (n Node) StartOVSDB(ctx context.Context) error {
	return n.Daemon(ctx, "ovsdb-server", "/etc/openvswitch/conf.db", "--detach", "--no-chdir", "--pidfile",
		"--log-file=/var/log/openvswitch/ovsdb-server.log",
		"--remote=punix:/run/openvswitch/db.sock", "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
}

// StartVswitchd starts the node's ovs-vswitchd; it returns when the bridges of the database exist, and the tunnel's has
// its address: where ovs-vswitchd had taken its devices along, a node's own network configuration would give it back.
func (n Node) StartVswitchd(ctx context.Context) error {
	if err := n.Daemon(ctx, "ovs-vswitchd", "unix:/run/openvswitch/db.sock", "--detach", "--no-chdir", "--pidfile",
		"--log-file=/var/log/openvswitch/ovs-vswitchd.log"); err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, 100*time.Millisecond, func() error {
		return withLinks(n, func(h *netlink.Handle) error { return configure(h, "br-tun", n.Encap) })
	})
}

// StartController starts the node's ovn-controller.
func (n Node) StartController(ctx context.Context) error {
	return n.Daemon(ctx, "ovn-controller", "unix:/run/openvswitch/db.sock", "--detach", "--no-chdir", "--pidfile",
		"--log-file=/var/log/ovn/ovn-controller.log")
}

// switchSettings is the whole of a chassis' switch database as one ovs-vsctl transaction. The datapath is the
// user-space one: it needs no kernel module, and has connection tracking zones where the kernel may not.
func (f *Fabric) switchSettings(n NodeSpec) []string {
	args := []string{"init", "--", "set", "Open_vSwitch", ".",
		"external_ids:system-id=" + n.Name,
		"external_ids:hostname=" + n.Name,
		"external_ids:rundir=/run/openvswitch",
		"external_ids:ovn-remote=" + f.Topology.Remote(f.Topology.SBPort),
		"external_ids:ovn-nb-remote=" + f.Topology.Remote(f.Topology.NBPort),
		"external_ids:ovn-remote-probe-interval=60000",
		"external_ids:ovn-openflow-probe-interval=60",
		"external_ids:ovn-encap-type=geneve",
		"external_ids:ovn-encap-ip=" + n.Encap.Addr().String(),
		`external_ids:ovn-bridge-mappings="` + bridgeMappings + `"`,
		"external_ids:ovn-bridge-datapath-type=netdev",
	}
	if n.Role == RoleGateway {
		args = append(args, "external_ids:ovn-cms-options="+gatewayOption)
	}
	for _, br := range []string{"br-int", "br-ex", "br-vlan", "br-tun"} {
		mode := "standalone"
		if br == "br-int" {
			mode = "secure"
		}
		args = append(args, "--", "add-br", br, "--", "set", "Bridge", br, "datapath_type=netdev", "fail_mode="+mode)
	}
	return append(args, "--", "set", "Bridge", "br-int", "other_config:disable-in-band=true",
		"--", "add-port", "br-tun", tunnelPort)
}

// waitChassis waits until every ovn-controller has registered itself.
func (f *Fabric) waitChassis(ctx context.Context) error {
	n := f.nodes[centralName]
	want := len(f.Topology.Chassis())
	return poll(ctx, 60*time.Second, 300*time.Millisecond, func() error {
		out, err := n.Output(ctx, "ovn-sbctl", "--no-leader-only", "--bare", "--columns=name", "find", "Chassis")
		if err != nil {
			return err
		}
		if have := len(bytes.Fields(out)); have < want {
			return fmt.Errorf("%d of %d chassis are registered", have, want)
		}
		return nil
	})
}
