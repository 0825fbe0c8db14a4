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
// has not removed it itself.
//
//	cloud network NAME flat|vlan:TAG|geneve [PHYSNET] [external]
//	cloud subnet NETWORK CIDR                cloud delete-network NAME
//	cloud port NAME NETWORK [ADDRESS…]      cloud delete-port NAME
//	cloud boot PORT NODE                     cloud stop PORT        cloud delete-vm PORT
//	cloud router NAME                        cloud gateway ROUTER NETWORK CHASSIS…
//	cloud interface ROUTER NETWORK SUBNET
//	cloud fip NETWORK ADDRESS                cloud associate ADDRESS PORT    cloud disassociate ADDRESS
//	cloud distributed true|false
//	cloud bulk PREFIX COUNT NETWORK EXTERNAL PARENT FIXED FIRST     cloud delete-bulk (same)
func (s *stage) cmdCloud(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cloud VERB …")
	}
	verbs := map[string]struct {
		least int
		do    func([]string) error
	}{
		"network":        {2, s.network},
		"subnet":         {2, s.subnet},
		"port":           {2, s.port},
		"delete-port":    {1, func(a []string) error { return s.cloud.DeletePort(s.ctx, a[0]) }},
		"delete-network": {1, func(a []string) error { return s.cloud.DeleteNetwork(s.ctx, a[0]) }},
		"boot":           {2, s.boot},
		"stop":           {1, func(a []string) error { return s.cloud.StopVM(s.ctx, a[0]) }},
		"delete-vm":      {1, func(a []string) error { return s.cloud.DeleteVM(s.ctx, a[0]) }},
		"router":         {1, s.router},
		"gateway":        {2, s.gateway},
		"interface":      {3, s.routerInterface},
		"fip":            {2, s.floatingIP},
		"associate":      {2, func(a []string) error { return s.cloud.Associate(s.ctx, a[0], a[1]) }},
		"disassociate":   {1, func(a []string) error { return s.cloud.Disassociate(s.ctx, a[0]) }},
		"distributed":    {1, s.distributed},
		"bulk":           {7, s.bulk},
		"delete-bulk":    {7, s.deleteBulk},
	}
	verb, ok := verbs[args[0]]
	if !ok || len(args)-1 < verb.least {
		ts.Fatalf("cloud %s: see cloud_test.go", strings.Join(args, " "))
	}
	ts.Check(verb.do(args[1:]))
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
	_, err = s.cloud.CreateSubnet(s.ctx, lab.SubnetOptions{Network: a[0], Name: a[0] + "-" + a[1], CIDR: cidr})
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
	err := s.cloud.SetGateway(s.ctx, lab.GatewayOptions{Router: a[0], Network: a[1], Chassis: a[2:]})
	s.later(func() bool { r, err := s.cloud.Router(a[0]); return err == nil && r.Gateway != nil },
		func() error { return s.cloud.ClearGateway(s.ctx, a[0]) })
	return err
}

func (s *stage) routerInterface(a []string) error {
	subnet := a[1] + "-" + a[2]
	s.undo = append(s.undo, func() error { return s.cloud.RemoveInterface(s.ctx, a[0], a[1], subnet) })
	return s.cloud.AddInterface(s.ctx, a[0], a[1], subnet)
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
