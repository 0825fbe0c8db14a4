package kernel

import (
	"errors"
	"fmt"
	"io/fs"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// missing plans what a device lacks. Where IPv6 is off on it, what of IPv6 no key needs is no loss and left out, or
// such a host would be in trouble for good; the rest fails with that reason.
func (c *Carriers) missing(s *steps, v *view, dev string, family model.Family, step plan.Step) {
	if family == 6 {
		if why := c.withoutIPv6(v, dev); why != "" {
			if step.Serves != nil && len(step.Serves) == 0 {
				return
			}
			step.Do = fails("%s", why)
		}
	}
	s.makes = append(s.makes, step)
}

// withoutIPv6 says why a device has no IPv6, "" when it has. The mirror does not tell, so the kernel is asked, but only
// when something is missing: an idle round reads nothing.
func (c *Carriers) withoutIPv6(v *view, dev string) string {
	why, asked := v.withoutIPv6[dev]
	if _, there := v.byName[dev]; asked || !there {
		return why
	}
	off, err := c.k.Sysctl("net", "ipv6", "conf", dev, "disable_ipv6")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = fmt.Sprintf("the kernel has no IPv6 on %s: it was booted with ipv6.disable=1, or the device's MTU is below 1280", dev)
	case err == nil && off == "1":
		why = fmt.Sprintf("IPv6 is off on %s: run \"sysctl -w %s=0\" and keep it in /etc/sysctl.d", dev,
			netlink.SysctlKey("net", "ipv6", "conf", dev, "disable_ipv6"))
	}
	v.withoutIPv6[dev] = why
	return why
}
