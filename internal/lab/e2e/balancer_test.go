package e2e

import (
	"errors"
	"net/netip"
	"strconv"

	"ovnbgp/internal/lab"
)

// balancerVerbs are the verbs of load balancers and port forwardings:
//
//	cloud balancer NAME NETWORK VIP PORT     cloud delete-balancer NAME
//	cloud disable-balancer NAME              cloud enable-balancer NAME
//	cloud member NAME PORT TCP               cloud delete-member NAME PORT
//	cloud member-down NAME PORT              cloud member-up NAME PORT
//	cloud forward ADDRESS tcp|udp FROM PORT TO    cloud unforward ADDRESS tcp|udp
func (s *stage) balancerVerbs() map[string]verb {
	return map[string]verb{
		"balancer":         {4, s.balancer},
		"delete-balancer":  {1, func(a []string) error { return s.cloud.DeleteLoadBalancer(s.ctx, a[0]) }},
		"disable-balancer": {1, func(a []string) error { return s.cloud.SetBalancerEnabled(s.ctx, a[0], false) }},
		"enable-balancer":  {1, func(a []string) error { return s.cloud.SetBalancerEnabled(s.ctx, a[0], true) }},
		"member":           {3, s.member},
		"delete-member":    {2, func(a []string) error { return s.cloud.RemoveMember(s.ctx, a[0], a[1]) }},
		"member-down":      {2, func(a []string) error { return s.cloud.SetMember(s.ctx, a[0], a[1], false) }},
		"member-up":        {2, func(a []string) error { return s.cloud.SetMember(s.ctx, a[0], a[1], true) }},
		"forward":          {5, s.forward},
		"unforward":        {2, func(a []string) error { return s.cloud.Unforward(s.ctx, a[0], a[1]) }},
	}
}

func (s *stage) balancer(a []string) error {
	vip, err1 := netip.ParseAddr(a[2])
	port, err2 := strconv.Atoi(a[3])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	_, err := s.cloud.CreateLoadBalancer(s.ctx, lab.LoadBalancerOptions{Name: a[0], Network: a[1], VIP: vip, Port: port})
	s.later(func() bool { _, err := s.cloud.LoadBalancer(a[0]); return err == nil },
		func() error { return s.cloud.DeleteLoadBalancer(s.ctx, a[0]) })
	return err
}

func (s *stage) member(a []string) error {
	tcp, err := strconv.ParseUint(a[2], 10, 16)
	if err != nil {
		return err
	}
	return s.cloud.AddMember(s.ctx, a[0], a[1], uint16(tcp))
}

func (s *stage) forward(a []string) error {
	from, err1 := strconv.ParseUint(a[2], 10, 16)
	to, err2 := strconv.ParseUint(a[4], 10, 16)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return s.cloud.Forward(s.ctx, a[0], a[1], uint16(from), a[3], uint16(to))
}
