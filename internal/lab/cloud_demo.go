package lab

import (
	"context"
	"net/netip"
)

// Names and addresses of the demonstration cloud.
const (
	DemoPublic     = "public"
	DemoTenant     = "tenant"
	DemoRouter     = "router1"
	DemoProviderVM = "pvm1"
	DemoTenantVM   = "tvm1"
	DemoMember1    = "tvm2"
	DemoMember2    = "tvm3"
	DemoFloatingIP = "203.0.113.50"
	DemoBalancer   = "lb1"
	DemoVIP        = "203.0.113.70"

	DemoRouted       = "routed"
	DemoRoutedRouter = "router2"
	DemoRoutedVM     = "tvm4"
)

// DemoSettings are what [DEFAULT] of the agents' configuration has besides with the demonstration cloud: tenants' machines
// are announced by their own addresses where no SNAT is in between, which would change what they answer.
const DemoSettings = `expose_tenant_networks = True
require_snat_disabled_for_tenant_networks = True
`

// Demo creates the demonstration cloud: a flat provider network without DHCP, dual stack, with a VM on compute1; a
// tenant network behind a router with a VM with a floating IP on compute2, and one more on each compute; a load balancer
// on the provider network before these two; a dual-stack tenant network behind a router without SNAT, with a VM that has
// no address but its own.
func (c *Cloud) Demo(ctx context.Context) error {
	steps := []func() error{
		func() error { return c.demoNetworks(ctx) },
		func() error {
			_, err := c.CreatePort(ctx, PortOptions{Name: DemoProviderVM, Network: DemoPublic, Addresses: []netip.Addr{
				netip.MustParseAddr("203.0.113.11"), netip.MustParseAddr("2001:db8:f::11"),
			}})
			return err
		},
		func() error { return c.createPorts(ctx, DemoTenant, DemoTenantVM, DemoMember1, DemoMember2) },
		func() error { return c.demoRouted(ctx) },
		func() error {
			_, err := c.CreateFloatingIP(ctx, DemoPublic, netip.MustParseAddr(DemoFloatingIP))
			return err
		},
		func() error { return c.Associate(ctx, DemoFloatingIP, DemoTenantVM) },
		func() error { return c.demoBalancer(ctx) },
		func() error {
			return c.BootVMs(ctx, Boot{DemoProviderVM, "compute1"}, Boot{DemoTenantVM, "compute2"},
				Boot{DemoMember1, "compute1"}, Boot{DemoMember2, "compute2"}, Boot{DemoRoutedVM, "compute1"})
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) demoNetworks(ctx context.Context) error {
	if _, err := c.CreateNetwork(ctx, NetworkOptions{Name: DemoPublic, Type: Flat, External: true}); err != nil {
		return err
	}
	for _, s := range []SubnetOptions{
		{Network: DemoPublic, Name: "public-v4", CIDR: netip.MustParsePrefix("203.0.113.0/24")},
		{Network: DemoPublic, Name: "public-v6", CIDR: netip.MustParsePrefix("2001:db8:f::/64")},
	} {
		if _, err := c.CreateSubnet(ctx, s); err != nil {
			return err
		}
	}
	return c.demoTenant(ctx, GatewayOptions{Router: DemoRouter, Network: DemoPublic, Addresses: []netip.Addr{
		netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("2001:db8:f::2"),
	}}, DemoTenant, SubnetOptions{Name: "tenant-v4", CIDR: netip.MustParsePrefix("10.0.0.0/24"), DHCP: true})
}

// demoTenant makes a tenant network with its subnets, and the router before it.
func (c *Cloud) demoTenant(ctx context.Context, g GatewayOptions, network string, subnets ...SubnetOptions) error {
	if _, err := c.CreateRouter(ctx, g.Router); err != nil {
		return err
	}
	if err := c.SetGateway(ctx, g); err != nil {
		return err
	}
	if _, err := c.CreateNetwork(ctx, NetworkOptions{Name: network, Type: Geneve}); err != nil {
		return err
	}
	for _, s := range subnets {
		s.Network = network
		if _, err := c.CreateSubnet(ctx, s); err != nil {
			return err
		}
		if err := c.AddInterface(ctx, g.Router, network, s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) demoRouted(ctx context.Context) error {
	if err := c.demoTenant(ctx, GatewayOptions{Router: DemoRoutedRouter, Network: DemoPublic, NoSNAT: true,
		Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.3"), netip.MustParseAddr("2001:db8:f::3")}}, DemoRouted,
		SubnetOptions{Name: "routed-v4", CIDR: netip.MustParsePrefix("10.1.0.0/24"), DHCP: true},
		SubnetOptions{Name: "routed-v6", CIDR: netip.MustParsePrefix("2001:db8:a::/64")}); err != nil {
		return err
	}
	_, err := c.CreatePort(ctx, PortOptions{Name: DemoRoutedVM, Network: DemoRouted, Addresses: []netip.Addr{
		netip.MustParseAddr("10.1.0.11"), netip.MustParseAddr("2001:db8:a::11")}})
	return err
}

func (c *Cloud) createPorts(ctx context.Context, network string, names ...string) error {
	for _, name := range names {
		if _, err := c.CreatePort(ctx, PortOptions{Name: name, Network: network}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) demoBalancer(ctx context.Context) error {
	if _, err := c.CreateLoadBalancer(ctx, LoadBalancerOptions{
		Name: DemoBalancer, Network: DemoPublic, VIP: netip.MustParseAddr(DemoVIP), Port: BannerPort,
	}); err != nil {
		return err
	}
	for _, member := range []string{DemoMember1, DemoMember2} {
		if err := c.AddMember(ctx, DemoBalancer, member, BannerPort); err != nil {
			return err
		}
	}
	return nil
}

// Boot says which port's VM to boot where.
type Boot struct{ Port, Node string }

// BootVMs boots virtual machines at the same time: all are started before the first is waited for.
func (c *Cloud) BootVMs(ctx context.Context, list ...Boot) error {
	for _, b := range list {
		if _, err := c.startVM(ctx, b.Port, b.Node); err != nil {
			return err
		}
	}
	for _, b := range list {
		if err := c.waitUp(ctx, c.state.Ports[b.Port], true); err != nil {
			return err
		}
	}
	return nil
}

// demo creates the demonstration cloud in a fabric.
func (f *Fabric) demo(ctx context.Context) error {
	c, err := f.Cloud(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Demo(ctx)
}
