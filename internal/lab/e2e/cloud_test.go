package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/lab"
)

// cmdCloud does what a user of the cloud does. What a script makes is removed at its end, last first, where the script
// has not removed it itself. Further verbs stand in balancer_test.go and place_test.go.
//
//	cloud network NAME flat|vlan:TAG|geneve [PHYSNET] [external]
//	cloud subnet NETWORK CIDR [scope:ID]     cloud delete-network NAME
//	cloud port NAME NETWORK [ADDRESS…]      cloud delete-port NAME
//	cloud boot PORT NODE                     cloud stop PORT        cloud delete-vm PORT
//	cloud router NAME                        cloud delete-router NAME
//	cloud gateway ROUTER NETWORK [nosnat] [ADDRESS…] [CHASSIS…]    cloud delete-gateway ROUTER
//	cloud interface ROUTER NETWORK CIDR      cloud delete-interface ROUTER NETWORK CIDR
//	cloud fip NETWORK ADDRESS                cloud delete-fip ADDRESS
//	cloud associate ADDRESS PORT|balancer:NAME    cloud disassociate ADDRESS
//	cloud distributed true|false
//	cloud bulk PREFIX COUNT NETWORK EXTERNAL PARENT FIXED FIRST     cloud delete-bulk (same)
func (s *stage) cmdCloud(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cloud VERB …")
	}
	for _, verbs := range []map[string]verb{s.networkVerbs(), s.portVerbs(), s.balancerVerbs(), s.placeVerbs()} {
		if v, ok := verbs[args[0]]; ok && len(args) > v.least {
			ts.Check(v.do(args[1:]))
			return
		}
	}
	ts.Fatalf("cloud %s: see cloud_test.go", strings.Join(args, " "))
}

// verb is one of the cloud's, with the least number of its arguments.
type verb struct {
	least int
	do    func([]string) error
}

func (s *stage) networkVerbs() map[string]verb {
	return map[string]verb{
		"network":        {2, s.network},
		"delete-network": {1, func(a []string) error { return s.cloud.DeleteNetwork(s.ctx, a[0]) }},
		"subnet":         {2, s.subnet},
		"router":         {1, s.router},
		"delete-router":  {1, func(a []string) error { return s.cloud.DeleteRouter(s.ctx, a[0]) }},
		"gateway":        {2, s.gateway},
		"delete-gateway": {1, func(a []string) error { return s.cloud.ClearGateway(s.ctx, a[0]) }},
		"interface":      {3, s.routerInterface},
		"delete-interface": {3, func(a []string) error {
			return s.cloud.RemoveInterface(s.ctx, a[0], a[1], a[1]+"-"+a[2])
		}},
		"distributed": {1, s.distributed},
	}
}

func (s *stage) portVerbs() map[string]verb {
	return map[string]verb{
		"port":         {2, s.port},
		"delete-port":  {1, func(a []string) error { return s.cloud.DeletePort(s.ctx, a[0]) }},
		"boot":         {2, s.boot},
		"stop":         {1, func(a []string) error { return s.cloud.StopVM(s.ctx, a[0]) }},
		"delete-vm":    {1, func(a []string) error { return s.cloud.DeleteVM(s.ctx, a[0]) }},
		"fip":          {2, s.floatingIP},
		"delete-fip":   {1, func(a []string) error { return s.cloud.DeleteFloatingIP(s.ctx, a[0]) }},
		"associate":    {2, s.associate},
		"disassociate": {1, func(a []string) error { return s.cloud.Disassociate(s.ctx, a[0]) }},
		"bulk":         {7, s.bulk},
		"delete-bulk":  {7, s.deleteBulk},
	}
}

// later keeps how something is removed at the end of the script, if it is still there then.
func (s *stage) later(there func() bool, remove func() error) {
	s.undo = append(s.undo, func() error {
		if !there() {
			return nil
		}
		return remove()
	})
}

func (s *stage) network(a []string) error {
	kind, tag, _ := strings.Cut(a[1], ":")
	o := lab.NetworkOptions{Name: a[0], Type: lab.NetworkType(kind)}
	if tag != "" {
		vlan, err := strconv.ParseInt(tag, 10, 64)
		if err != nil {
			return err
		}
		o.VLAN = vlan
	}
	for _, word := range a[2:] {
		if word == "external" {
			o.External = true
		} else {
			o.Physnet = word
		}
	}
	_, err := s.cloud.CreateNetwork(s.ctx, o)
	s.later(func() bool { _, err := s.cloud.Network(o.Name); return err == nil },
		func() error { return s.cloud.DeleteNetwork(s.ctx, o.Name) })
	return err
}

func (s *stage) subnet(a []string) error {
	cidr, err := netip.ParsePrefix(a[1])
	if err != nil {
		return err
	}
	o := lab.SubnetOptions{Network: a[0], Name: a[0] + "-" + a[1], CIDR: cidr}
	for _, word := range a[2:] {
		scope, ok := strings.CutPrefix(word, "scope:")
		if !ok {
			return fmt.Errorf("subnet %s: what is %q?", a[1], word)
		}
		o.Scope = scope
	}
	_, err = s.cloud.CreateSubnet(s.ctx, o)
	return err
}

func (s *stage) port(a []string) error {
	o := lab.PortOptions{Name: a[0], Network: a[1]}
	for _, text := range a[2:] {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		o.Addresses = append(o.Addresses, address)
	}
	_, err := s.cloud.CreatePort(s.ctx, o)
	s.later(func() bool { _, err := s.cloud.Port(o.Name); return err == nil },
		func() error { return s.cloud.DeletePort(s.ctx, o.Name) })
	return err
}

func (s *stage) boot(a []string) error {
	_, err := s.cloud.BootVM(s.ctx, a[0], a[1])
	s.later(func() bool { _, err := s.cloud.VM(a[0]); return err == nil },
		func() error { return s.cloud.StopVM(s.ctx, a[0]) })
	return err
}

func (s *stage) router(a []string) error {
	_, err := s.cloud.CreateRouter(s.ctx, a[0])
	s.later(func() bool { _, err := s.cloud.Router(a[0]); return err == nil },
		func() error { return s.cloud.DeleteRouter(s.ctx, a[0]) })
	return err
}

func (s *stage) gateway(a []string) error {
	o := lab.GatewayOptions{Router: a[0], Network: a[1]}
	for _, word := range a[2:] {
		if address, err := netip.ParseAddr(word); err == nil {
			o.Addresses = append(o.Addresses, address)
		} else if word == "nosnat" {
			o.NoSNAT = true
		} else {
			o.Chassis = append(o.Chassis, word)
		}
	}
	err := s.cloud.SetGateway(s.ctx, o)
	s.later(func() bool { r, err := s.cloud.Router(a[0]); return err == nil && r.Gateway != nil },
		func() error { return s.cloud.ClearGateway(s.ctx, a[0]) })
	return err
}

func (s *stage) routerInterface(a []string) error {
	subnet := a[1] + "-" + a[2]
	err := s.cloud.AddInterface(s.ctx, a[0], a[1], subnet)
	s.later(func() bool { return s.cloud.HasInterface(a[0], a[1], subnet) },
		func() error { return s.cloud.RemoveInterface(s.ctx, a[0], a[1], subnet) })
	return err
}

func (s *stage) floatingIP(a []string) error {
	address, err := netip.ParseAddr(a[1])
	if err != nil {
		return err
	}
	_, err = s.cloud.CreateFloatingIP(s.ctx, a[0], address)
	s.later(func() bool { _, err := s.cloud.FloatingIP(a[1]); return err == nil },
		func() error { return s.cloud.DeleteFloatingIP(s.ctx, a[1]) })
	return err
}

// associate gives a floating IP to a port, or to the VIP of a load balancer.
func (s *stage) associate(a []string) error {
	port := a[1]
	if name, ok := strings.CutPrefix(port, "balancer:"); ok {
		l, err := s.cloud.LoadBalancer(name)
		if err != nil {
			return err
		}
		port = l.VIPPort
	}
	return s.cloud.Associate(s.ctx, a[0], port)
}

func (s *stage) distributed(a []string) error {
	on, err := strconv.ParseBool(a[0])
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return s.cloud.SetDistributed(s.ctx, true) })
	return s.cloud.SetDistributed(s.ctx, on)
}

// bulk makes ports with a floating IP each, as subports of a running VM's port: "bulk e2e- 15 tenant public trunk
// 10.0.0.100 203.0.113.100" makes e2e-0 with 203.0.113.100, and so on. "delete-bulk" with a smaller number deletes that
// many of them, all in one transaction.
func (s *stage) bulk(a []string) error {
	s.crowded = true
	o, err := bulkOptions(a)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error {
		var errs []error
		for i := range o.Count {
			name := o.Prefix + strconv.Itoa(i)
			if _, err := s.cloud.Port(name); err == nil {
				errs = append(errs, s.cloud.DeletePort(s.ctx, name))
			}
		}
		return errors.Join(errs...)
	})
	return s.cloud.CreateBulk(s.ctx, o)
}

func (s *stage) deleteBulk(a []string) error {
	o, err := bulkOptions(a)
	if err != nil {
		return err
	}
	return s.cloud.DeleteBulk(s.ctx, o)
}

func bulkOptions(a []string) (lab.BulkOptions, error) {
	count, err1 := strconv.Atoi(a[1])
	fixed, err2 := netip.ParseAddr(a[5])
	first, err3 := netip.ParseAddr(a[6])
	if err := errors.Join(err1, err2, err3); err != nil {
		return lab.BulkOptions{}, fmt.Errorf("bulk: %w", err)
	}
	return lab.BulkOptions{Prefix: a[0], Count: count, Network: a[2], External: a[3], Parent: a[4], Fixed: fixed,
		First: first}, nil
}
