package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// interruptGrace is how long a job has to end after its caller's context was cancelled and it was told so.
const interruptGrace = 5 * time.Second

// ErrGuestGone is returned when the guest ended while a job ran in it.
var ErrGuestGone = errors.New("the lab's guest has ended")

// runJob runs one job over a fresh connection to a broker and returns the command's exit code. When ctx is cancelled
// the command gets SIGINT and, if it goes on, SIGKILL.
func runJob(ctx context.Context, conn net.Conn, spec jobSpec, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	defer conn.Close()
	out := newFrameWriter(conn)
	if err := out.writeJSON(kindStart, 0, spec); err != nil {
		return 0, fmt.Errorf("start %s in the guest: %w", spec.Argv[0], err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = out.write(frame{kind: kindSignal, data: []byte{byte(syscall.SIGINT)}}) // or the deadline below ends it
		_ = conn.SetReadDeadline(time.Now().Add(interruptGrace))
	})
	defer stop()
	input := newOutlet(0, kindStdin, out.write)
	defer input.close()
	if stdin == nil {
		_ = out.write(frame{kind: kindStdin}) // a broken connection shows when reading
	} else {
		go sendInput(input, out, stdin)
	}
	if spec.TTY {
		defer followSize(out)()
	}
	code, err := receive(conn, out, input, stdout, stderr)
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return code, err
}

// sendInput sends what stdin has, then its end.
func sendInput(input *outlet, out *frameWriter, stdin io.Reader) {
	if _, err := io.Copy(input, onlyReader{stdin}); err == nil {
		_ = out.write(frame{kind: kindStdin}) // a broken connection shows when reading
	}
}

// receive hands a job's output to the writers until the job has ended.
func receive(conn net.Conn, out *frameWriter, input *outlet, stdout, stderr io.Writer) (int, error) {
	streams := map[kind]*inlet{kindStdout: newInlet(0, kindStdout, out.write), kindStderr: newInlet(0, kindStderr, out.write)}
	copied := make(chan error, len(streams))
	go func() { copied <- streams[kindStdout].copyTo(orDiscard(stdout)) }()
	go func() { copied <- streams[kindStderr].copyTo(orDiscard(stderr)) }()
	in := bufio.NewReader(conn)
	code, err := dispatch(in, input, streams)
	for _, s := range streams {
		s.end()
	}
	for range streams {
		// Acknowledging to a job that has ended may fail, which is no loss; a caller's writer that fails is one.
		if failed := <-copied; failed != nil && err == nil && !isConnError(failed) {
			err = fmt.Errorf("write the command's output: %w", failed)
		}
	}
	return code, err
}

func isConnError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// dispatch reads frames until the job's last.
func dispatch(in *bufio.Reader, input *outlet, streams map[kind]*inlet) (int, error) {
	for {
		f, err := readFrame(in)
		if err != nil {
			return 0, fmt.Errorf("%w (%w)", ErrGuestGone, err)
		}
		switch f.kind {
		case kindStdout, kindStderr:
			if len(f.data) > 0 {
				streams[f.kind].put(f.data)
			}
		case kindWindow:
			_, n := windowOf(f)
			input.give(n)
		case kindGone:
			return 0, fmt.Errorf("%w: %s", ErrGuestGone, f.data)
		case kindExit:
			var info exitInfo
			if err := json.Unmarshal(f.data, &info); err != nil {
				return 0, fmt.Errorf("read the command's exit code: %w", err)
			}
			if info.Error != "" {
				return info.Code, errors.New(info.Error)
			}
			return info.Code, nil
		default:
			return 0, fmt.Errorf("the broker sent a frame of kind %d", f.kind)
		}
	}
}

// followSize tells a job's terminal the size of ours, now and whenever it changes. The function it returns ends that.
func followSize(out *frameWriter) (stop func()) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for range changed {
			rows, cols := windowSize(os.Stdin)
			_ = out.write(resizeFrame(0, rows, cols)) // a broken connection shows when reading
		}
	}()
	return func() { signal.Stop(changed); close(changed) }
}
