package netlink

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// LinkAdd creates a link of the given kind, down, with the name, alias, master, and what the kind needs: the table of
// a "vrf"; the parent and tag of a "vlan"; nothing for "dummy" and "bridge". One of the same name is EEXIST.
func (w *Writer) LinkAdd(l Link) error {
	var data []byte
	switch l.Kind {
	case "vrf":
		data = appendUint32(nil, unix.IFLA_VRF_TABLE, l.Table)
	case "vlan":
		data = appendAttr(nil, unix.IFLA_VLAN_ID, binary.NativeEndian.AppendUint16(nil, uint16(l.VLAN)))
	case "dummy", "bridge":
	default:
		return fmt.Errorf("add %s: a kind that is not known here", l)
	}
	b := appendString(linkHeader(0), unix.IFLA_IFNAME, l.Name)
	info := appendString(nil, unix.IFLA_INFO_KIND, l.Kind)
	if data != nil {
		info = appendNested(info, unix.IFLA_INFO_DATA, data)
	}
	b = appendNested(b, unix.IFLA_LINKINFO, info)
	if l.Parent != 0 {
		b = appendUint32(b, unix.IFLA_LINK, uint32(l.Parent))
	}
	if l.Master != 0 {
		b = appendUint32(b, unix.IFLA_MASTER, uint32(l.Master))
	}
	if err := w.add(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b, "add", l.String); err != nil || l.Alias == "" {
		return err
	}
	// The kernel ignores an alias in the request that creates the link.
	return w.setAlias(appendString(linkHeader(0), unix.IFLA_IFNAME, l.Name), l, l.Alias)
}

// LinkDel deletes a link by its index.
func (w *Writer) LinkDel(l Link) error {
	return w.del(unix.RTM_DELLINK, linkHeader(l.Index), l.String)
}

// LinkSetUp brings a link up.
func (w *Writer) LinkSetUp(l Link) error { return w.setFlags(l, unix.IFF_UP, "set up") }

// LinkSetDown takes a link down.
func (w *Writer) LinkSetDown(l Link) error { return w.setFlags(l, 0, "set down") }

func (w *Writer) setFlags(l Link, flags uint32, verb string) error {
	b := linkHeader(l.Index)
	putUint32(b[8:], flags)
	putUint32(b[12:], unix.IFF_UP) // the flags to change
	return w.add(unix.RTM_NEWLINK, 0, b, verb, l.String)
}

// LinkSetMaster enslaves a link to the one with that index, or frees it with 0.
func (w *Writer) LinkSetMaster(l Link, master int) error {
	b := appendUint32(linkHeader(l.Index), unix.IFLA_MASTER, uint32(master))
	return w.add(unix.RTM_NEWLINK, 0, b, "set master of", l.String)
}

// LinkSetAlias writes a link's alias.
func (w *Writer) LinkSetAlias(l Link, alias string) error {
	return w.setAlias(linkHeader(l.Index), l, alias)
}

func (w *Writer) setAlias(header []byte, l Link, alias string) error {
	b := appendString(header, unix.IFLA_IFALIAS, alias)
	if err := w.add(unix.RTM_NEWLINK, 0, b, "set alias of", l.String); err != nil {
		return err
	}
	return w.wrote(l)
}

func linkHeader(index int) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	putUint32(b[4:], uint32(index))
	return b
}

// SetSysctl writes a file below /proc/sys, named by its path's parts, since a device's name may hold dots:
// SetSysctl("1", "net", "ipv4", "conf", "br-ex.100", "proxy_arp").
func (w *Writer) SetSysctl(value string, path ...string) error {
	w.count()
	err := w.withSysctl(os.O_WRONLY, path, func(f *os.File) error {
		_, err := f.WriteString(value)
		return err
	})
	if err != nil {
		return fmt.Errorf("set sysctl %s=%s: %w", SysctlKey(path...), value, err)
	}
	return nil
}

// Sysctl reads what SetSysctl writes, for the settings of which the kernel tells a Mirror nothing. The error is
// fs.ErrNotExist where there is no such setting.
func (w *Writer) Sysctl(path ...string) (value string, err error) {
	err = w.withSysctl(os.O_RDONLY, path, func(f *os.File) error {
		b, err := io.ReadAll(f)
		value = strings.TrimSpace(string(b))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", SysctlKey(path...), err)
	}
	return value, nil
}

func (w *Writer) withSysctl(flag int, path []string, deed func(*os.File) error) error {
	for _, part := range path {
		if part == "" || part == "." || part == ".." || strings.Contains(part, "/") {
			return fmt.Errorf("%q is no file name", part)
		}
	}
	file := filepath.Join(append([]string{"/proc/sys"}, path...)...)
	// The files under /proc/sys/net are those of the namespace of the thread that opens them.
	return w.ns.within(func() error {
		f, err := os.OpenFile(file, flag, 0)
		if err != nil {
			return err
		}
		err = deed(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
		return err
	})
}

// SysctlKey writes a path as the sysctl command takes it: the dots of a device's name become slashes.
func SysctlKey(path ...string) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = strings.ReplaceAll(p, ".", "/")
	}
	return strings.Join(parts, ".")
}

func putUint32(b []byte, v uint32) { binary.NativeEndian.PutUint32(b, v) }
func putUint16(b []byte, v uint16) { binary.NativeEndian.PutUint16(b, v) }
