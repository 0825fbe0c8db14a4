package lab

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// lastWords is how long a job's output is waited for after it has ended while a child of it keeps the pipe open.
	lastWords = time.Second
	// pipeMost is more than a pipe can hold: what is left in it after a job's end is no longer than this.
	pipeMost = 1 << 20
)

// job is one command in the guest.
type job struct {
	cmd   *exec.Cmd
	tty   *os.File // our end of its terminal; nil without one
	stdin *inlet
	input *os.File // where its input is written to
	outs  []*outlet
	reads []*os.File // what its output comes from
	close []*os.File // the program's ends, ours to close once it runs
	copy  sync.WaitGroup
	ended chan struct{}
}

// startJob starts a command whose frames go to out.
func startJob(ctx context.Context, id uint32, spec jobSpec, out func(frame) error) (*job, error) {
	// The command outlives ctx on purpose: endAll ends it, with time to write what it must.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), spec.Argv[0], spec.Argv[1:]...)
	cmd.Env = slices.Concat(guestEnv(), spec.Env)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	j := &job{cmd: cmd, stdin: newInlet(id, kindStdin, out), ended: make(chan struct{})}
	err := j.connect(id, spec, out)
	if err == nil {
		err = cmd.Start()
	}
	for _, f := range j.close {
		f.Close()
	}
	if err != nil {
		for _, f := range append(j.reads, j.input) {
			f.Close()
		}
		return nil, err
	}
	go j.feed()
	for i, r := range j.reads {
		j.copy.Go(func() { copyOutput(j.outs[i], r) })
	}
	return j, nil
}

// connect gives the command its standard streams.
func (j *job) connect(id uint32, spec jobSpec, out func(frame) error) error {
	if spec.TTY {
		ours, theirs, err := openPTY()
		if err != nil {
			return err
		}
		j.tty, j.input = ours, ours
		j.cmd.Stdin, j.cmd.Stdout, j.cmd.Stderr = theirs, theirs, theirs
		j.cmd.SysProcAttr.Setctty = true
		j.reads, j.close = []*os.File{ours}, []*os.File{theirs}
		j.outs = []*outlet{newOutlet(id, kindStdout, out)}
		return setWindowSize(ours, spec.Rows, spec.Cols)
	}
	in, input, err := os.Pipe()
	if err != nil {
		return err
	}
	j.cmd.Stdin, j.input, j.close = in, input, []*os.File{in}
	for _, k := range []kind{kindStdout, kindStderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		if k == kindStdout {
			j.cmd.Stdout = w
		} else {
			j.cmd.Stderr = w
		}
		j.reads, j.close = append(j.reads, r), append(j.close, w)
		j.outs = append(j.outs, newOutlet(id, k, out))
	}
	return nil
}

// feed hands standard input to the command. The end of input closes a pipe; to a terminal it is nothing: the one who
// types says it with ^D.
func (j *job) feed() {
	_ = j.stdin.copyTo(j.input) // a command that does not read its input is no fault
	if j.tty == nil {
		j.input.Close()
	}
}

// handle takes a frame that came for the job.
func (j *job) handle(f frame) {
	switch f.kind {
	case kindStdin:
		j.stdin.put(f.data)
	case kindWindow:
		stream, n := windowOf(f)
		for _, o := range j.outs {
			if o.stream == stream {
				o.give(n)
			}
		}
	case kindResize:
		if j.tty != nil {
			rows, cols := sizeOf(f)
			_ = setWindowSize(j.tty, rows, cols) // a wrong size is no reason to end anything
		}
	case kindSignal:
		if len(f.data) == 1 {
			j.signal(syscall.Signal(f.data[0]))
		}
	case kindHangup:
		j.hangup(syscall.SIGHUP)
	}
}

// signal sends a signal to the command and its children, but not to daemons, which have left its group.
func (j *job) signal(sig syscall.Signal) {
	select {
	case <-j.ended: // the number may be another's now
	default:
		_ = syscall.Kill(-j.cmd.Process.Pid, sig) // gone: as wanted
	}
}

// hangup ends the command: nobody listens to it any more.
func (j *job) hangup(first syscall.Signal) {
	for _, o := range j.outs {
		o.close()
	}
	j.signal(first)
	go func() {
		select {
		case <-j.ended:
		case <-time.After(jobGrace):
			j.signal(syscall.SIGKILL)
		}
	}()
}

// wait waits for the command's end and for all that it had written by then.
func (j *job) wait() exitInfo {
	_ = j.cmd.Wait() // the state says it all
	close(j.ended)
	for _, r := range j.reads {
		_ = r.SetReadDeadline(time.Now().Add(lastWords)) // fails only when r is closed already
	}
	j.copy.Wait()
	j.stdin.discard()
	for _, f := range append(j.reads, j.input) {
		f.Close() // again, maybe; it ends a write to a pipe that nobody reads
	}
	return exitInfo{Code: exitStatus(j.cmd.ProcessState)}
}

// copyOutput sends what comes from r until it ends, or its deadline passes.
func copyOutput(o *outlet, r *os.File) {
	_, err := io.Copy(o, onlyReader{r})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	// The command has ended and something else holds the pipe. What the command wrote is in it.
	buf := make([]byte, frameData)
	for left := pipeMost; left > 0; {
		n := readNow(r, buf)
		if n <= 0 {
			return
		}
		if _, err := o.Write(buf[:n]); err != nil {
			return
		}
		left -= n
	}
}

// onlyReader hides what else a file can do, so that io.Copy reads and writes frame by frame.
type onlyReader struct{ io.Reader }

// readNow reads without waiting.
func readNow(f *os.File, buf []byte) int {
	n := 0
	_ = withFD(f, func(fd int) (err error) { // nothing to read is the answer looked for
		n, err = syscall.Read(fd, buf)
		return err
	})
	return n
}

// exitStatus is a process's exit code; 128 and the signal's number when a signal ended it, as shells say it.
func exitStatus(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// notStarted is the exit code that shells give for a command that could not be started.
func notStarted(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}
