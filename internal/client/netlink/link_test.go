package netlink

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLinks(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	must(t, c.LinkAdd(Link{Name: "br-ex", Kind: "bridge", Alias: "ovnbgp"}))
	br, ok, err := c.LinkByName(t.Context(), "br-ex")
	if err != nil || !ok || br.Kind != "bridge" || br.Alias != "ovnbgp" || br.AdminUp {
		t.Fatalf("br-ex: alias %q, kind %q, up %v, %v, %v\n%s", br.Alias, br.Kind, br.AdminUp, ok, err, ip(t, "-d link show br-ex"))
	}
	if err := c.LinkAdd(br); !errors.Is(err, unix.EEXIST) {
		t.Errorf("added twice: %v", err)
	}
	must(t, c.LinkSetUp(br))
	must(t, c.LinkSetAlias(br, "other"))
	v0 := vethPair(t, c)
	must(t, c.LinkSetMaster(v0, br.Index))
	br, _, err = c.LinkByName(t.Context(), "br-ex")
	must(t, err)
	if !br.AdminUp || br.Alias != "other" || len(br.MAC) != 17 {
		t.Errorf("br-ex: %+v", br)
	}
	v0, _, err = c.LinkByName(t.Context(), "v0")
	must(t, err)
	if v0.Master != br.Index || v0.Kind != "veth" {
		t.Errorf("v0: %+v", v0)
	}
	must(t, c.LinkSetMaster(v0, 0))
	if _, ok, _ := c.LinkByName(t.Context(), "v0"); !ok {
		t.Error("freed from its bridge, v0 is taken for deleted")
	}
	must(t, c.LinkDel(br))
	must(t, c.LinkDel(br))
	if _, ok, _ := c.LinkByName(t.Context(), "br-ex"); ok {
		t.Error("br-ex is still there")
	}
}

func TestNetConf(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	conf := func(f Family, link int) NetConf {
		t.Helper()
		for _, n := range actual(t, c).NetConfs {
			if n.Family == f && n.LinkIndex == link {
				return n
			}
		}
		t.Fatalf("no netconf of family %d, link %d", f, link)
		return NetConf{}
	}
	must(t, c.SetSysctl("1", "net", "ipv4", "conf", "v0", "proxy_arp"))
	must(t, c.SetSysctl("2", "net", "ipv4", "conf", "v0", "rp_filter"))
	must(t, c.SetSysctl("1", "net", "ipv6", "conf", "v0", "proxy_ndp"))
	must(t, c.SetSysctl("1", "net", "ipv6", "conf", "all", "forwarding"))
	for range 2 {
		if n := conf(IPv4, v0.Index); !n.ProxyNeigh || n.RPFilter != 2 {
			t.Errorf("IPv4: %+v", n)
		}
		if n := conf(IPv6, v0.Index); !n.ProxyNeigh || !n.Forwarding {
			t.Errorf("IPv6: %+v", n)
		}
		if n := conf(IPv6, ConfAll); !n.Forwarding {
			t.Errorf("IPv6 all: %+v", n)
		}
		c.Invalidate() // once notified, once dumped
	}
	ip(t, "link add a.b type bridge")
	must(t, c.SetSysctl("1", "net", "ipv4", "conf", "a.b", "proxy_arp"))
	if err := c.SetSysctl("1", "net", "ipv4", "conf", "../x", "proxy_arp"); err == nil {
		t.Error("a path that leaves the directory was taken")
	}
	err := c.SetSysctl("1", "net", "ipv4", "conf", "no.such", "proxy_arp")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(fmt.Sprint(err), "net.ipv4.conf.no/such.proxy_arp=1") {
		t.Errorf("a device that is not there: %v", err)
	}
	ip(t, "link add six type bridge")
	for _, want := range []string{"0", "1"} {
		must(t, c.SetSysctl(want, "net", "ipv6", "conf", "six", "disable_ipv6"))
		if got, err := c.Sysctl("net", "ipv6", "conf", "six", "disable_ipv6"); err != nil || got != want {
			t.Errorf("read disable_ipv6: %q, %v; want %s", got, err, want)
		}
	}
	if got, err := c.Sysctl("net", "ipv6", "conf", "no.such", "disable_ipv6"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read of a device that is not there: %q, %v", got, err)
	}
	if got, err := c.Sysctl("net", "ipv6", "conf", "../x", "disable_ipv6"); err == nil {
		t.Errorf("a path that leaves the directory: %q", got)
	}
}

func TestPokes(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	actual(t, c)
	quiet := func() {
		for {
			select {
			case <-c.Pokes():
			case <-time.After(300 * time.Millisecond):
				return
			}
		}
	}
	quiet()
	ip(t, "route add 198.51.100.1/32 dev v0 table 20 proto static") // of no interest
	select {
	case <-c.Pokes():
		t.Error("poked by a route that is not kept")
	case <-time.After(100 * time.Millisecond):
	}
	must(t, c.RouteReplace(route(v0, "203.0.113.9/32", "")))
	select {
	case <-c.Pokes():
	case <-time.After(5 * time.Second):
		t.Error("no poke")
	}
}
