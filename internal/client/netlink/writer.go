package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// WriterOptions say what a Writer tells of its work.
type WriterOptions struct {
	// OnWrite is called before every write that is tried.
	OnWrite func()
	// Names gives links their names in errors.
	Names Namer
	// Wrote is called after a write of which the kernel may tell nobody, or only later: with the Neighbor (proxy
	// entries too), the Link of an alias, the IPv6 Addr.
	Wrote func(object any) error
}

// Writer changes the kernel's objects in one network namespace, one by each call. A delete of what is absent is
// success. Errors wrap the kernel's errno (errors.Is(err, unix.EEXIST)) and name the object.
type Writer struct {
	opts WriterOptions
	ask  *requester
	ns   *namespace
}

// NewWriter opens a writer for the calling thread's network namespace.
func NewWriter(opts WriterOptions) (*Writer, error) {
	ns, err := currentNamespace()
	if err != nil {
		return nil, err
	}
	ask, err := newRequester()
	if err != nil {
		return nil, errors.Join(err, ns.close())
	}
	return &Writer{opts: opts, ask: ask, ns: ns}, nil
}

// Close ends the writer.
func (w *Writer) Close() error { return errors.Join(w.ask.close(), w.ns.close()) }

func (w *Writer) count() {
	if w.opts.OnWrite != nil {
		w.opts.OnWrite()
	}
}

func (w *Writer) add(typ, flags uint16, body []byte, verb string, object func() string) error {
	w.count()
	if err := w.ask.write(typ, flags, body); err != nil {
		return fmt.Errorf("%s %s: %w", verb, object(), err)
	}
	return nil
}

func (w *Writer) del(typ uint16, body []byte, object func() string) error {
	w.count()
	if err := w.ask.write(typ, 0, body); err != nil && !isGone(err) {
		return fmt.Errorf("delete %s: %w", object(), err)
	}
	return nil
}

// text returns a function that names the object, called only when there is an error to tell.
func (w *Writer) text(o interface{ Text(Namer) string }) func() string {
	return func() string { return o.Text(w.opts.Names) }
}

// isGone tells whether an error says that what should be deleted is not there.
func isGone(err error) bool {
	for _, gone := range []error{unix.ESRCH, unix.ENOENT, unix.ENODEV, unix.ENXIO, unix.EADDRNOTAVAIL} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// RouteAdd writes a route; one with the same table, destination, tos and metric, whoever's it is, is EEXIST.
func (w *Writer) RouteAdd(r Route) error {
	if r.Extra != "" {
		return fmt.Errorf("add %s: it has attributes that cannot be written", r.Text(w.opts.Names))
	}
	return w.add(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, routeBody(r), "add", w.text(r))
}

// RouteReplace writes a route, in place of one with the same table, destination, tos and metric.
func (w *Writer) RouteReplace(r Route) error {
	object := w.text(r)
	if r.Extra != "" {
		return fmt.Errorf("replace %s: it has attributes that cannot be written back", object())
	}
	return w.add(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, routeBody(r), "replace", object)
}

// RouteDel deletes a route that has all the values given, its protocol among them: without one it refuses.
func (w *Writer) RouteDel(r Route) error {
	object := w.text(r)
	if r.Protocol == ProtoUnspec {
		return fmt.Errorf("delete %s: without a protocol this may be anybody's", object())
	}
	r.NextHops = "" // all of them: with none named, the kernel takes the whole route
	return w.del(unix.RTM_DELROUTE, routeBody(r), object)
}

func routeBody(r Route) []byte {
	b := make([]byte, unix.SizeofRtMsg)
	b[0], b[1], b[3] = byte(FamilyOf(r.Dst.Addr())), byte(r.Dst.Bits()), r.TOS
	b[5], b[6], b[7] = r.Protocol, r.Scope, r.Type
	if r.OnLink {
		b[8] = unix.RTNH_F_ONLINK
	}
	b = appendAttr(b, unix.RTA_DST, r.Dst.Addr().AsSlice())
	b = appendUint32(b, unix.RTA_TABLE, r.Table)
	b = appendGateway(b, r.Dst.Addr(), r.Gateway)
	if r.LinkIndex != 0 {
		b = appendUint32(b, unix.RTA_OIF, uint32(r.LinkIndex))
	}
	if r.Source.IsValid() {
		b = appendAttr(b, unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	if hops := r.NextHops.List(); hops != nil {
		var all []byte
		for _, h := range hops {
			hop := appendGateway(make([]byte, unix.SizeofRtNexthop), r.Dst.Addr(), h.Gateway)
			putUint16(hop, uint16(len(hop)))
			putUint32(hop[4:], uint32(h.LinkIndex))
			all = append(all, hop...)
		}
		b = appendAttr(b, unix.RTA_MULTIPATH, all)
	}
	if r.Metric != 0 {
		b = appendUint32(b, unix.RTA_PRIORITY, r.Metric)
	}
	return b
}

// appendGateway appends a gateway, which for an IPv4 route may be an IPv6 one.
func appendGateway(b []byte, dst, gateway netip.Addr) []byte {
	switch {
	case !gateway.IsValid():
		return b
	case dst.Is4() && gateway.Is6():
		return appendAttr(b, unix.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), gateway.AsSlice()...))
	}
	return appendAttr(b, unix.RTA_GATEWAY, gateway.AsSlice())
}

// RuleAdd adds a rule; one that is there with all the same values is EEXIST.
func (w *Writer) RuleAdd(r Rule) error {
	if r.Extra != "" {
		return fmt.Errorf("add %s: it has attributes that cannot be written back", r)
	}
	return w.add(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ruleBody(r), "add", r.String)
}

// RuleDel deletes the rule with all these values. Of a rule whose protocol is 0 the kernel takes the oldest with the
// rest of the values, whatever its protocol: RuleDel needs a prefix then.
func (w *Writer) RuleDel(r Rule) error {
	if r.Protocol == ProtoUnspec && !r.Dst.IsValid() {
		return fmt.Errorf("delete %s: without a protocol and a prefix this may be anybody's", r)
	}
	if r.Extra != "" {
		return fmt.Errorf("delete %s: it has attributes that cannot be named", r)
	}
	return w.del(unix.RTM_DELRULE, ruleBody(r), r.String)
}

func ruleBody(r Rule) []byte {
	b := make([]byte, sizeofRuleHdr)
	b[0], b[7] = byte(r.Family), unix.FR_ACT_TO_TBL
	b = appendUint32(b, unix.FRA_TABLE, r.Table)
	b = appendUint32(b, unix.FRA_PRIORITY, r.Priority)
	if r.Protocol != ProtoUnspec {
		b = appendAttr(b, unix.FRA_PROTOCOL, []byte{r.Protocol})
	}
	if r.Dst.IsValid() {
		b[1] = byte(r.Dst.Bits())
		b = appendAttr(b, unix.FRA_DST, r.Dst.Addr().AsSlice())
	}
	return b
}

// NeighReplace writes a permanent neighbour entry.
func (w *Writer) NeighReplace(n Neighbor) error {
	n.Proxy = false
	mac, err := net.ParseMAC(n.MAC)
	if err != nil {
		return fmt.Errorf("replace %s: %w", n.Text(w.opts.Names), err)
	}
	b := appendAttr(neighBody(n), unix.NDA_LLADDR, mac)
	return w.neighbor(unix.NLM_F_CREATE|unix.NLM_F_REPLACE, b, "replace", n)
}

// NeighDel deletes a neighbour entry. The kernel does not compare its protocol.
func (w *Writer) NeighDel(n Neighbor) error {
	n.Proxy = false
	if err := w.del(unix.RTM_DELNEIGH, neighBody(n), w.text(n)); err != nil {
		return err
	}
	return w.wrote(n)
}

// ProxyAdd writes a proxy entry: the kernel answers for IP on the link, where proxy_arp or proxy_ndp is set.
func (w *Writer) ProxyAdd(n Neighbor) error {
	n.Proxy = true
	return w.neighbor(unix.NLM_F_CREATE|unix.NLM_F_REPLACE, neighBody(n), "add", n)
}

// ProxyDel deletes a proxy entry.
func (w *Writer) ProxyDel(n Neighbor) error {
	n.Proxy = true
	if err := w.del(unix.RTM_DELNEIGH, neighBody(n), w.text(n)); err != nil {
		return err
	}
	return w.wrote(n)
}

func (w *Writer) neighbor(flags uint16, body []byte, verb string, n Neighbor) error {
	if err := w.add(unix.RTM_NEWNEIGH, flags, body, verb, w.text(n)); err != nil {
		return err
	}
	return w.wrote(n)
}

func (w *Writer) wrote(object any) error {
	if w.opts.Wrote == nil {
		return nil
	}
	return w.opts.Wrote(object)
}

func neighBody(n Neighbor) []byte {
	b := neighHeader(n)
	if n.Proxy {
		b[10] = unix.NTF_PROXY
	}
	putUint16(b[8:], unix.NUD_PERMANENT)
	b = appendAttr(b, unix.NDA_DST, n.IP.AsSlice())
	if n.Protocol != ProtoUnspec {
		b = appendAttr(b, attrNeighProtocol, []byte{n.Protocol})
	}
	return b
}

// neighHeader names the family and the link.
func neighHeader(n Neighbor) []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0] = byte(FamilyOf(n.IP))
	putUint32(b[4:], uint32(n.LinkIndex))
	return b
}

// AddrReplace writes an address; one that is there is left.
func (w *Writer) AddrReplace(a Addr) error {
	b := addrBody(a)
	var flags uint32
	if a.NoDAD {
		flags = unix.IFA_F_NODAD
	}
	b = appendUint32(b, unix.IFA_FLAGS, flags)
	err := w.add(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, b, "add", w.text(a))
	if err != nil || a.Prefix.Addr().Is4() {
		return err
	}
	return w.wrote(a)
}

// AddrDel deletes an address.
func (w *Writer) AddrDel(a Addr) error {
	return w.del(unix.RTM_DELADDR, addrBody(a), w.text(a))
}

func addrBody(a Addr) []byte {
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0], b[1], b[3] = byte(FamilyOf(a.Prefix.Addr())), byte(a.Prefix.Bits()), a.Scope
	putUint32(b[4:], uint32(a.LinkIndex))
	ip := a.Prefix.Addr().AsSlice()
	b = appendAttr(b, unix.IFA_LOCAL, ip)
	return appendAttr(b, unix.IFA_ADDRESS, ip)
}
