package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// withFD gives f's descriptor to fn without taking f out of the runtime's poller, as File.Fd would.
func withFD(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = fn(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// makeRaw makes a terminal pass bytes as they are and returns its former settings.
func makeRaw(f *os.File) (*unix.Termios, error) {
	var old *unix.Termios
	err := withFD(f, func(fd int) error {
		was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		old = was
		raw := *was
		raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL |
			unix.IXON | unix.IXOFF
		raw.Oflag &^= unix.OPOST
		raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
		raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
		return unix.IoctlSetTermios(fd, unix.TCSETS, &raw)
	})
	return old, err
}

// restore undoes makeRaw.
func restore(f *os.File, old *unix.Termios) error {
	return withFD(f, func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, old) })
}

// isTerminal reports whether f is one.
func isTerminal(f *os.File) bool {
	return withFD(f, func(fd int) error { _, err := unix.IoctlGetTermios(fd, unix.TCGETS); return err }) == nil
}

// windowSize returns a terminal's rows and columns, zero when it knows none.
func windowSize(f *os.File) (rows, cols uint16) {
	_ = withFD(f, func(fd int) error { // not a terminal: no size, which is an answer
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil {
			rows, cols = size.Row, size.Col
		}
		return err
	})
	return rows, cols
}

func setWindowSize(f *os.File, rows, cols uint16) error {
	return withFD(f, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
}

// openPTY makes a pseudo-terminal: our end and the program's.
func openPTY() (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/pts/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	number := 0
	err = withFD(ours, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	return ours, theirs, nil
}
