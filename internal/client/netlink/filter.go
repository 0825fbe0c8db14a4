package netlink

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets in a notification, from the start of its header.
const (
	offsetType     = 4
	offsetFamily   = unix.SizeofNlMsghdr     // of ndmsg, rtmsg
	offsetTable    = unix.SizeofNlMsghdr + 4 // rtm_table; tables over 255 have a stand-in there
	offsetProtocol = unix.SizeofNlMsghdr + 5 // rtm_protocol
)

// quiet attaches a filter that keeps out of the queue what would only be thrown away: the routes of tables main and
// local where nobody asked for them, of which a node that takes the Internet's routes has a million, and bridges'
// forwarding entries. So they neither cost time nor overrun the queue. A route of a kept protocol in those tables is
// seen; that another's takes its place is seen at the next dump only.
func quiet(fd int, opts Options) error {
	prog := filterProgram(opts)
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return fmt.Errorf("filter notifications: %w", err)
	}
	return nil
}

func filterProgram(opts Options) []unix.SockFilter {
	tables := []uint32{TableMain, TableLocal}
	tables = slices.DeleteFunc(tables, func(t uint32) bool { return slices.Contains(opts.Tables, t) })
	load := func(size uint16, offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: offset}
	}
	jump := func(value uint32, over int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(over), K: value}
	}
	accept := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	prog := []unix.SockFilter{
		load(unix.BPF_H, offsetType),
		jump(networkOrder(unix.RTM_NEWNEIGH), 4), // to neighbours
		jump(networkOrder(unix.RTM_DELNEIGH), 3),
		jump(networkOrder(unix.RTM_NEWROUTE), 6), // to routes
		jump(networkOrder(unix.RTM_DELROUTE), 5),
		accept,
		load(unix.BPF_B, offsetFamily), // neighbours
		jump(unix.AF_BRIDGE, 1),
		accept,
		drop,
		load(unix.BPF_B, offsetTable), // routes
	}
	for i, t := range tables {
		prog = append(prog, jump(t, len(tables)-i)) // to protocols
	}
	prog = append(prog, accept, load(unix.BPF_B, offsetProtocol)) // protocols
	for i, p := range opts.Protocols {
		prog = append(prog, jump(uint32(p), len(opts.Protocols)-i))
	}
	return append(prog, drop, accept)
}

// networkOrder is how a filter, which loads in network order, sees a number that the kernel wrote in its own.
func networkOrder(v uint16) uint32 {
	return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, v)))
}
