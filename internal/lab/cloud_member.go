package lab

import (
	"context"
	"fmt"
	"slices"

	"ovnbgp/internal/client/ovsdb"
)

// Statuses of a pool's member that its health monitor writes.
const (
	memberOnline  = "ONLINE"
	memberOffline = "OFFLINE"
)

// member finds a load balancer's member by its port.
func (c *Cloud) member(balancer, port string) (*LoadBalancer, int, error) {
	l, err := c.LoadBalancer(balancer)
	if err != nil {
		return nil, 0, err
	}
	p, err := c.Port(port)
	if err != nil {
		return nil, 0, err
	}
	a, ok := l.reaches(p)
	i := slices.IndexFunc(l.Members, func(m Member) bool { return m.Address.Addr() == a })
	if !ok || i < 0 {
		return nil, 0, fmt.Errorf("%s is no member of load balancer %s", port, balancer)
	}
	return l, i, nil
}

// SetMember writes what Octavia writes when the health monitor finds a member online or offline. While no member is
// online the row has no vips.
func (c *Cloud) SetMember(ctx context.Context, balancer, port string, online bool) error {
	l, i, err := c.member(balancer, port)
	if err != nil {
		return err
	}
	l.Members[i].Status = memberOffline
	if online {
		l.Members[i].Status = memberOnline
	}
	if err := c.transact(ctx, l.setKeys(map[string]string{"neutron:member_status": l.memberStatus()})); err != nil {
		return fmt.Errorf("member %s of load balancer %s: %w", port, balancer, err)
	}
	return c.commit(ctx, l.membersChanged()...)
}

// RemoveMember takes a port out of a load balancer's pool.
func (c *Cloud) RemoveMember(ctx context.Context, balancer, port string) error {
	l, i, err := c.member(balancer, port)
	if err != nil {
		return err
	}
	p, err := c.Port(port)
	if err != nil {
		return err
	}
	l.Members = slices.Delete(l.Members, i, i+1)
	if err := c.transact(ctx, l.membersChanged()...); err != nil {
		return fmt.Errorf("remove %s from load balancer %s: %w", port, balancer, err)
	}
	if err := c.detach(ctx, l, p.Network); err != nil {
		return err
	}
	if err := c.commit(ctx, l.setKeys(map[string]string{"neutron:member_status": l.memberStatus()})); err != nil {
		return err
	}
	if p.FloatingIP == "" {
		return nil
	}
	return c.Associate(ctx, p.FloatingIP, p.Name) // it becomes a distributed one
}

// detach counts a network's switch down, and takes the load balancer off it when nobody needs it any more.
func (c *Cloud) detach(ctx context.Context, l *LoadBalancer, network string) error {
	n, err := c.Network(network)
	if err != nil {
		return err
	}
	key := "neutron-" + n.ID
	if l.Refs[key] == 0 { // an external network: never attached
		return nil
	}
	l.Refs[key]--
	var ops []ovsdb.Operation
	if l.Refs[key] == 0 {
		delete(l.Refs, key)
		row, err := c.rowID(ctx, "Load_Balancer", l.where())
		if err != nil {
			return err
		}
		ops = append(ops, remove("Logical_Switch", ls(n.ID), "load_balancer", row))
	}
	return c.commit(ctx, append(ops, l.setKeys(map[string]string{"ls_refs": pythonJSON(l.Refs)}))...)
}

// SetBalancerEnabled sets a load balancer's admin_state_up. A disabled one has no vips; its keys stay.
func (c *Cloud) SetBalancerEnabled(ctx context.Context, balancer string, enabled bool) error {
	l, err := c.LoadBalancer(balancer)
	if err != nil {
		return err
	}
	l.Disabled = !enabled
	word := "False"
	if enabled {
		word = "True"
	}
	ops := append(l.membersChanged(), l.setKeys(map[string]string{"enabled": word}))
	return c.commit(ctx, ops...)
}
