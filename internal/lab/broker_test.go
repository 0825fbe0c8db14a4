package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFrameRoundTrip(t *testing.T) {
	frames := []frame{
		{kind: kindStart, job: 1, data: []byte("{}")},
		{kind: kindStdin, job: 7, data: []byte{}},
		{kind: kindStdout, job: 1<<32 - 1, data: bytes.Repeat([]byte{frameMagic}, frameData)},
		resizeFrame(3, 24, 80),
		windowFrame(3, kindStderr, streamWindow),
	}
	var line bytes.Buffer
	w := newFrameWriter(&line)
	for _, f := range frames {
		if err := w.write(f); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(iotest.OneByteReader(&line))
	for _, want := range frames {
		got, err := readFrame(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("frame (-want +got):\n%s", diff)
		}
	}
	if _, err := readFrame(r); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v, want io.EOF", err)
	}
	if rows, cols := sizeOf(frames[3]); rows != 24 || cols != 80 {
		t.Errorf("size %d x %d", rows, cols)
	}
	if stream, n := windowOf(frames[4]); stream != kindStderr || n != streamWindow {
		t.Errorf("window %d of %d", n, stream)
	}
}

func TestFrameRefused(t *testing.T) {
	whole := frame{kind: kindStdout, job: 1, data: []byte("abc")}.append(nil)
	cases := map[string][]byte{
		"noise":        []byte("login: login:"),
		"unknown kind": {frameMagic, byte(kindEnd), 0, 0, 0, 1, 0, 0},
		"too long":     {frameMagic, byte(kindStdout), 0, 0, 0, 1, 0xff, 0xff},
		"cut header":   whole[:5],
		"cut data":     whole[:9],
	}
	for name, text := range cases {
		if f, err := readFrame(bufio.NewReader(bytes.NewReader(text))); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: read %v, error %v", name, f, err)
		}
	}
	if err := newFrameWriter(io.Discard).write(frame{data: make([]byte, frameData+1)}); err == nil {
		t.Error("a frame that is too long was written")
	}
}

// testBroker runs the guest's job server and a broker over a line in this process, so that jobs are real processes of
// this host.
func testBroker(t *testing.T) (b *broker, socket string, guestEnds func()) {
	t.Helper()
	host, guest := net.Pipe()
	go func() {
		defer guest.Close()
		_ = newJobServer(guest).serve(context.WithoutCancel(t.Context()), readyInfo{Kernel: "test"}) // ends as the line does
	}()
	line := bufio.NewReader(host)
	info, err := awaitReady(line)
	if err != nil || info.Kernel != "test" {
		t.Fatalf("ready: %v, %v", info, err)
	}
	b = newBroker(host, slog.New(slog.DiscardHandler))
	socket = filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	relayed := make(chan struct{})
	go func() {
		_ = b.relay(line)
		b.fail("the line was cut")
		close(relayed)
	}()
	go func() { _ = b.accept(l) }()
	t.Cleanup(func() { l.Close(); host.Close(); <-relayed })
	return b, socket, func() { host.Close() }
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestJobStreamsAndExitCode(t *testing.T) {
	_, socket, _ := testBroker(t)
	cases := []struct {
		name, script, stdin, stdout, stderr string
		code                                int
	}{
		{name: "streams", script: "cat; echo bad >&2; exit 7", stdin: "in", stdout: "in", stderr: "bad\n", code: 7},
		{name: "signal", script: "kill -9 $$", code: 137},
		{name: "input unread", script: "echo done", stdin: strings.Repeat("x", 1<<20), stdout: "done\n"},
		{name: "background child keeps the pipe", script: "sleep 5 & echo first", stdout: "first\n"},
		{name: "environment", script: "echo $OVNBGP_GUEST", stdout: "1\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code, err := runJob(t.Context(), dial(t, socket), jobSpec{Argv: []string{"sh", "-c", c.script}},
				strings.NewReader(c.stdin), &out, &errOut)
			if err != nil || code != c.code || out.String() != c.stdout || errOut.String() != c.stderr {
				t.Errorf("code %d, out %q, err %q, %v", code, out.String(), errOut.String(), err)
			}
		})
	}
	code, err := runJob(t.Context(), dial(t, socket), jobSpec{Argv: []string{"/no/such"}}, nil, nil, nil)
	if code != 127 || err == nil {
		t.Errorf("a command that is not there: code %d, error %v", code, err)
	}
}

// A job that is given much and writes much, beside one whose output nobody reads: nothing is lost, nobody waits.
func TestJobsShareTheLine(t *testing.T) {
	_, socket, _ := testBroker(t)
	stuck := dial(t, socket)
	defer stuck.Close()
	w := newFrameWriter(stuck)
	if err := w.writeJSON(kindStart, 0, jobSpec{Argv: []string{"cat", "/dev/zero"}}); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := range 200_000 {
		want.WriteString(strings.Repeat(string(rune('a'+i%26)), i%17))
		want.WriteByte('\n')
	}
	var got bytes.Buffer
	code, err := runJob(t.Context(), dial(t, socket), jobSpec{Argv: []string{"cat"}}, bytes.NewReader(want.Bytes()), &got, nil)
	if err != nil || code != 0 {
		t.Fatalf("code %d, error %v", code, err)
	}
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Errorf("sent %d bytes, got back %d, or others", want.Len(), got.Len())
	}
}

func TestLeavingClientEndsItsJob(t *testing.T) {
	// Under nohup the tests ignore SIGHUP, and a shell cannot trap what it was started to ignore.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	_, socket, _ := testBroker(t)
	mark := filepath.Join(t.TempDir(), "hangup")
	conn := dial(t, socket)
	w := newFrameWriter(conn)
	script := "trap 'echo x > " + mark + "; exit' HUP; echo up; while :; do sleep 0.05; done"
	if err := w.writeJSON(kindStart, 0, jobSpec{Argv: []string{"sh", "-c", script}}); err != nil {
		t.Fatal(err)
	}
	if f, err := readFrame(bufio.NewReader(conn)); err != nil || f.kind != kindStdout {
		t.Fatalf("%v, %v", f, err)
	}
	conn.Close()
	err := poll(t.Context(), 10*time.Second, 10*time.Millisecond, func() error { _, err := fileHash(mark); return err })
	if err != nil {
		t.Errorf("the job got no SIGHUP: %v", err)
	}
}

func TestCancelInterruptsTheJob(t *testing.T) {
	_, socket, _ := testBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, out := io.Pipe()
	go func() {
		_, _ = r.Read(make([]byte, 8)) // the job is up
		cancel()
	}()
	script := "trap 'exit 9' INT; echo up; while :; do sleep 0.05; done"
	code, err := runJob(ctx, dial(t, socket), jobSpec{Argv: []string{"sh", "-c", script}}, nil, out, nil)
	if code != 9 || err != nil {
		t.Errorf("code %d, error %v", code, err)
	}
}

func TestTerminalJob(t *testing.T) {
	_, socket, _ := testBroker(t)
	var out bytes.Buffer
	spec := jobSpec{Argv: []string{"sh", "-c", "tty >/dev/null && stty size; exit 3"}, TTY: true, Rows: 33, Cols: 77}
	conn := dial(t, socket)
	defer conn.Close()
	w := newFrameWriter(conn)
	if err := w.writeJSON(kindStart, 0, spec); err != nil {
		t.Fatal(err)
	}
	code, err := receive(conn, w, newOutlet(0, kindStdin, w.write), &out, nil)
	if code != 3 || err != nil || !strings.Contains(out.String(), "33 77") {
		t.Errorf("code %d, error %v, output %q", code, err, out.String())
	}
}

func TestDyingGuestIsReported(t *testing.T) {
	_, socket, guestEnds := testBroker(t)
	r, out := io.Pipe()
	go func() {
		_, _ = r.Read(make([]byte, 8))
		guestEnds()
	}()
	_, err := runJob(t.Context(), dial(t, socket), jobSpec{Argv: []string{"sh", "-c", "echo up; sleep 2"}}, nil, out, nil)
	if !errors.Is(err, ErrGuestGone) || !strings.Contains(err.Error(), "the line was cut") {
		t.Errorf("error %v", err)
	}
	_, err = runJob(t.Context(), dial(t, socket), jobSpec{Argv: []string{"true"}}, nil, nil, nil)
	if !errors.Is(err, ErrGuestGone) {
		t.Errorf("a late client: %v", err)
	}
}

// The line to the guest never has more under way than the guest's terminal layer holds.
func TestPacedWriter(t *testing.T) {
	r, w := io.Pipe()
	pace := newCredit(lineWindow)
	sent := make(chan error, 1)
	go func() {
		_, err := pacedWriter{pace, w}.Write(make([]byte, 3*lineWindow))
		sent <- err
	}()
	in := ackingReader{r, func(f frame) error { _, n := windowOf(f); pace.give(n); return nil }}
	if _, err := io.ReadFull(in, make([]byte, 3*lineWindow)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if pace.free != lineWindow {
		t.Errorf("%d bytes of credit are left, want %d", pace.free, lineWindow)
	}
}

// What has come is handed over though nobody can be told so any more: the last of a job's output.
func TestOutputOfASenderThatIsGone(t *testing.T) {
	gone := errors.New("gone")
	i := newInlet(0, kindStdout, func(frame) error { return gone })
	var got bytes.Buffer
	i.put([]byte("the first, "))
	done := make(chan error)
	go func() {
		done <- i.copyTo(writerFunc(func(p []byte) (int, error) {
			if got.Len() == 0 { // the rest comes while the first is written
				i.put([]byte("and the rest"))
				i.end()
			}
			return got.Write(p)
		}))
	}()
	if err := <-done; !errors.Is(err, gone) || got.String() != "the first, and the rest" {
		t.Errorf("%q, %v", &got, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
