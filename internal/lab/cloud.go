package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// Cloud plays the cloud's controller: it writes to the Northbound database the rows that Neutron's ML2/OVN driver writes
// (names, keys, order of transactions, revision numbers), and runs virtual machines as namespaces on the nodes. What
// Neutron keeps in its own database is in a state file, so that a later process finds everything again by name.
//
// A Cloud is for one goroutine of one process at a time.
type Cloud struct {
	nb     *ovsdb.Conn
	sb     *ovsdb.Conn // nil until somebody asks what OVN made of it
	fabric *Fabric     // nil: no virtual machines
	path   string
	state  cloudState
	// Gateways are the chassis that host routers' gateways, as the chassis' ovn-cms-options say.
	Gateways []string
}

// cloudState is the state file. Everything is found by name, floating IPs by address.
type cloudState struct {
	Networks    map[string]*Network
	Routers     map[string]*Router
	Ports       map[string]*Port
	FloatingIPs map[string]*FloatingIP
	VMs         map[string]*VM
	// LoadBalancers are found by name, too.
	LoadBalancers map[string]*LoadBalancer
	// Group is the security group that every port is in.
	Group string
}

const (
	nbDatabase = "OVN_Northbound"
	project    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"
	dropGroup  = "neutron_pg_drop"
)

// OpenCloud opens the cloud of the fabric that is up. Close it.
func OpenCloud(ctx context.Context) (*Cloud, error) {
	f, err := OpenFabric()
	if err != nil {
		return nil, err
	}
	return f.Cloud(ctx)
}

// Cloud opens the fabric's cloud. Close it.
func (f *Fabric) Cloud(ctx context.Context) (*Cloud, error) {
	c, err := newCloud(ctx, "unix:"+f.NBSocket(), filepath.Join(stateDir, "cloud.json"))
	if err != nil {
		return nil, err
	}
	c.fabric = f
	for _, n := range f.Topology.Nodes {
		if n.Role == RoleGateway {
			c.Gateways = append(c.Gateways, n.Name)
		}
	}
	return c, nil
}

// newCloud opens a cloud over any Northbound database.
func newCloud(ctx context.Context, endpoint, path string) (*Cloud, error) {
	c := &Cloud{path: path}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the cloud's state: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(text, &c.state); err != nil {
			return nil, fmt.Errorf("read the cloud's state: %w", err)
		}
	}
	c.state.fill()
	if c.nb, err = ovsdb.Dial(ctx, endpoint, nil); err != nil {
		return nil, err
	}
	if c.state.Group == "" {
		if err := c.begin(ctx); err != nil {
			return nil, errors.Join(err, c.nb.Close())
		}
	}
	return c, nil
}

// fill makes the maps that an empty state lacks.
func (s *cloudState) fill() {
	if s.Networks == nil {
		s.Networks = map[string]*Network{}
	}
	if s.Routers == nil {
		s.Routers = map[string]*Router{}
	}
	if s.Ports == nil {
		s.Ports = map[string]*Port{}
	}
	if s.FloatingIPs == nil {
		s.FloatingIPs = map[string]*FloatingIP{}
	}
	if s.VMs == nil {
		s.VMs = map[string]*VM{}
	}
	if s.LoadBalancers == nil {
		s.LoadBalancers = map[string]*LoadBalancer{}
	}
}

// begin writes the port groups of the one security group. They have no ACLs: the lab filters nothing.
func (c *Cloud) begin(ctx context.Context) error {
	group := newID()
	if err := c.transact(ctx,
		ovsdb.Insert("Port_Group", "", ovsdb.Columns{"name": dropGroup}),
		ovsdb.Insert("Port_Group", "", ovsdb.Columns{
			"name":         groupName(group),
			"external_ids": map[string]string{"neutron:security_group_id": group},
		}),
	); err != nil {
		return err
	}
	c.state.Group = group
	return c.save()
}

func groupName(id string) string { return "pg_" + strings.ReplaceAll(id, "-", "_") }

// Close ends the connections to the databases; virtual machines go on.
func (c *Cloud) Close() error {
	if c.sb == nil {
		return c.nb.Close()
	}
	return errors.Join(c.nb.Close(), c.sb.Close())
}

// binding reads columns of a port's Port_Binding: what OVN made of a port.
func (c *Cloud) binding(ctx context.Context, p *Port, columns ...string) (ovsdb.Selected, error) {
	if c.sb == nil {
		conn, err := ovsdb.Dial(ctx, "unix:"+c.fabric.SBSocket(), nil)
		if err != nil {
			return ovsdb.Selected{}, err
		}
		c.sb = conn
	}
	rows, err := c.sb.Select(ctx, "OVN_Southbound", "Port_Binding",
		[]ovsdb.Condition{ovsdb.Equal("logical_port", p.ID)}, columns...)
	if err != nil {
		return ovsdb.Selected{}, err
	}
	if len(rows) != 1 {
		return ovsdb.Selected{}, fmt.Errorf("port %s has %d rows in the Southbound database", p.Name, len(rows))
	}
	return rows[0], nil
}

// chassisID is the UUID of a node's row in the Southbound database. binding must have been called before.
func (c *Cloud) chassisID(ctx context.Context, node string) (ovsdb.UUID, error) {
	var id ovsdb.UUID
	rows, err := c.sb.Select(ctx, "OVN_Southbound", "Chassis", named(node), "_uuid")
	if err != nil {
		return id, err
	}
	if len(rows) != 1 {
		return id, fmt.Errorf("%d chassis are named %s", len(rows), node)
	}
	err = rows[0].Get("_uuid", &id)
	return id, err
}

func (c *Cloud) save() error { return writeJSON(c.path, c.state) }

func (c *Cloud) transact(ctx context.Context, ops ...ovsdb.Operation) error {
	_, err := c.nb.Transact(ctx, nbDatabase, ops...)
	return err
}

// commit runs a transaction and then keeps the state.
func (c *Cloud) commit(ctx context.Context, ops ...ovsdb.Operation) error {
	if err := c.transact(ctx, ops...); err != nil {
		return err
	}
	return c.save()
}

// pause lets pass what Neutron needs between two transactions. Agents meet the states between, so a lab must have them;
// without a fabric nobody looks.
func (c *Cloud) pause(ctx context.Context, d time.Duration) error {
	if c.fabric == nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// newID is a random UUID as Neutron makes them.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return ovsdb.UUID(b).String()
}

// rowUUID is an ID that newID made as the UUID of a row.
func rowUUID(id string) ovsdb.UUID {
	uuid, err := ovsdb.ParseUUID(id)
	if err != nil {
		panic("not made by newID: " + id) // a bug, or a state file edited by hand
	}
	return uuid
}

// newMAC is a random address with Neutron's base_mac.
func newMAC() string {
	var b [3]byte
	rand.Read(b[:])
	h := hex.EncodeToString(b[:])
	return "fa:16:3e:" + h[:2] + ":" + h[2:4] + ":" + h[4:]
}

// lsp, lrp, lr and ls are conditions by the names Neutron gives rows.
func lsp(port string) []ovsdb.Condition   { return named(port) }
func lrp(port string) []ovsdb.Condition   { return named("lrp-" + port) }
func lr(router string) []ovsdb.Condition  { return named("neutron-" + router) }
func ls(network string) []ovsdb.Condition { return named("neutron-" + network) }

func named(name string) []ovsdb.Condition { return []ovsdb.Condition{ovsdb.Equal("name", name)} }

// setKeys sets some keys of a map column and leaves the others. An insert alone would not replace a value.
func setKeys(table string, where []ovsdb.Condition, column string, values map[string]string) ovsdb.Operation {
	keys := make([]string, 0, len(values))
	for k := range maps.Keys(values) {
		keys = append(keys, k)
	}
	return ovsdb.Mutate(table, where,
		ovsdb.Mutation{Column: column, Mutator: "delete", Value: keys},
		ovsdb.Mutation{Column: column, Mutator: "insert", Value: values})
}

func deleteKeys(table string, where []ovsdb.Condition, column string, keys ...string) ovsdb.Operation {
	return ovsdb.Mutate(table, where, ovsdb.Mutation{Column: column, Mutator: "delete", Value: keys})
}

// add and remove change a set of references.
func add(table string, where []ovsdb.Condition, column string, rows ...any) ovsdb.Operation {
	return ovsdb.Mutate(table, where, ovsdb.Mutation{Column: column, Mutator: "insert", Value: ovsdb.Set(rows)})
}

func remove(table string, where []ovsdb.Condition, column string, rows ...any) ovsdb.Operation {
	return ovsdb.Mutate(table, where, ovsdb.Mutation{Column: column, Mutator: "delete", Value: ovsdb.Set(rows)})
}

// rowID reads the UUID of the one row that matches. A missing row is an error.
func (c *Cloud) rowID(ctx context.Context, table string, where []ovsdb.Condition) (ovsdb.UUID, error) {
	rows, err := c.nb.Select(ctx, nbDatabase, table, where, "_uuid")
	if err != nil {
		return ovsdb.UUID{}, err
	}
	if len(rows) != 1 {
		return ovsdb.UUID{}, fmt.Errorf("%d rows of %s match %v", len(rows), table, where)
	}
	var id ovsdb.UUID
	err = rows[0].Get("_uuid", &id)
	return id, err
}

// cidr is an address with the prefix length of its subnet.
func cidr(a netip.Addr, s *Subnet) string { return netip.PrefixFrom(a, s.CIDR.Bits()).String() }
