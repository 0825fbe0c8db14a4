package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process names a process for good: a number alone is used again.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // when it started, in clock ticks since the host's boot
	Boot  string `json:"boot"`  // the host's boot
}

// findProcess describes the process that has a number now.
func findProcess(pid int) (process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	start, err := startTime(stat)
	if err != nil {
		return process{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}, err
	}
	return process{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// startTime reads field 22 of /proc/PID/stat. The second field, the command's name, may hold spaces and brackets.
func startTime(stat []byte) (uint64, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 20 {
		return 0, errors.New("its stat file has too few fields")
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// open returns a descriptor that stands for the process, or -1 when it has ended.
func (p process) open() (int, error) {
	if p.PID <= 0 {
		return -1, nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", p.PID, err)
	}
	// Looked up after the descriptor was had: the number cannot change its owner between the two.
	if now, err := findProcess(p.PID); err != nil || now != p {
		unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}

// alive reports whether the process still runs.
func (p process) alive() bool {
	fd, err := p.open()
	if err != nil || fd < 0 {
		return false
	}
	defer unix.Close(fd)
	return !waitFD(fd, 0)
}

// end asks the process to end and kills it when it has not after limit.
func (p process) end(ctx context.Context, limit time.Duration) error {
	fd, err := p.open()
	if err != nil || fd < 0 {
		return err
	}
	defer unix.Close(fd)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end process %d: %w", p.PID, err)
		}
		if waitFD(fd, limit) || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("process %d does not end", p.PID)
}

// waitFD waits until a process's descriptor says that it has ended.
func waitFD(fd int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n > 0
		}
	}
}

// lockFile waits for a lock that ends with the returned file, or with the process.
func lockFile(ctx context.Context, path string, waiting func()) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		waiting()
		err = poll(ctx, time.Hour, 200*time.Millisecond, func() error {
			return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		})
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// lockShared marks a file as in use for as long as the returned file is open.
func lockShared(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// fileHash is the beginning of a file's SHA-256, enough to tell two builds apart.
func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}
