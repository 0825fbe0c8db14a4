package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/explain"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// fakeAgent answers, and remembers what it was asked for.
type fakeAgent struct {
	asked []string
	err   error
}

var _ Agent = (*fakeAgent)(nil)

func (f *fakeAgent) ask(what string) error { f.asked = append(f.asked, what); return f.err }

func (f *fakeAgent) Status(context.Context) (status.Report, error) {
	return status.Report{Version: "1.0", Verdict: status.OK}, f.ask("status")
}

func (f *fakeAgent) Plan(context.Context) (plan.Preview, error) {
	return plan.Preview{Steps: []plan.Planned{{Subsystem: "kernel", Verb: plan.Create, Object: "link x"}}}, f.ask("plan")
}

func (f *fakeAgent) Explain(_ context.Context, address string) (explain.Answer, error) {
	return explain.Answer{Why: "because"}, f.ask("explain " + address)
}

func (f *fakeAgent) Sync(_ context.Context, accept string) error { return f.ask("sync " + accept) }

func (f *fakeAgent) SetDrained(_ context.Context, drained bool) error {
	return f.ask(fmt.Sprintf("set drained %v", drained))
}

func (f *fakeAgent) Drain(context.Context) (DrainState, error) {
	return DrainState{Drained: true, Draining: model.Draining{InForce: true,
		Peers: []model.Told{{Peer: "192.0.2.1", Family: model.IPv4Unicast, Up: true, Drained: 3}}}}, f.ask("drain")
}

func (f *fakeAgent) Snapshot(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{"OVN":{}}`), f.ask("snapshot")
}

// serve serves an agent on a real socket until the test ends.
func serve(t *testing.T, a Agent) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "run", "agent.sock")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, Handler(a)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return socket
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be let through, and to be somebody else")
	}
}

// Each question of the client reaches the agent, and its answer comes back as it was given.
func TestQuestions(t *testing.T) {
	needsRoot(t)
	a := &fakeAgent{}
	c := NewClient(serve(t, a))
	ctx := t.Context()
	report, err := c.Status(ctx)
	if err != nil || report.Version != "1.0" || report.Verdict != status.OK {
		t.Errorf("status: %+v, %v", report, err)
	}
	preview, err := c.Plan(ctx)
	if err != nil || len(preview.Steps) != 1 || preview.Steps[0].Object != "link x" {
		t.Errorf("plan: %+v, %v", preview, err)
	}
	answer, err := c.Explain(ctx, "fe80::1%a&b=c d")
	if err != nil || answer.Why != "because" {
		t.Errorf("explain: %+v, %v", answer, err)
	}
	if report, err = c.Sync(ctx, SyncRequest{}); err != nil || report.Version != "1.0" {
		t.Errorf("sync: %+v, %v", report, err)
	}
	if _, err = c.Sync(ctx, SyncRequest{AcceptWithdrawals: "abc"}); err != nil {
		t.Errorf("sync with a hash: %v", err)
	}
	if err := c.SetDrained(ctx, DrainRequest{Drained: true}); err != nil {
		t.Errorf("drain: %v", err)
	}
	state, err := c.Drain(ctx)
	if err != nil || !state.Drained || !state.InForce || state.Waiting() != "" || len(state.Peers) != 1 || state.Peers[0].Drained != 3 {
		t.Errorf("drain: %+v, %v", state, err)
	}
	raw, err := c.Snapshot(ctx)
	if err != nil || string(raw) != `{"OVN":{}}` {
		t.Errorf("snapshot: %s, %v", raw, err)
	}
	want := []string{"status", "plan", "explain fe80::1%a&b=c d", "sync ", "status", "sync abc", "status", "set drained true", "drain",
		"snapshot"}
	if d := cmp.Diff(want, a.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

// What the agent says against a question is what the asker reads.
func TestRefusals(t *testing.T) {
	needsRoot(t)
	c := NewClient(serve(t, &fakeAgent{err: errors.New("nothing is held under this hash")}))
	_, err := c.Sync(t.Context(), SyncRequest{AcceptWithdrawals: "x"})
	if err == nil || err.Error() != "nothing is held under this hash" {
		t.Errorf("got %v", err)
	}
}

func TestNoAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	ask := func(when string) {
		t.Helper()
		if _, err := NewClient(socket).Status(t.Context()); !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), socket) {
			t.Errorf("%s: got %v", when, err)
		}
	}
	ask("no socket")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ask("a dead agent's socket")
}

// An agent that is stopped has a socket, too, and nobody answers on it.
func TestSilentAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := NewClient(socket)
	c.statusLimit, c.limit = 20*time.Millisecond, 30*time.Millisecond
	_, statusErr := c.Status(t.Context())
	_, planErr := c.Plan(t.Context())
	for want, err := range map[string]error{"20ms": statusErr, "30ms": planErr} {
		if err == nil || errors.Is(err, ErrNoAgent) || err.Error() != "the agent on "+socket+" has not answered for "+want+
			": it is there, and stuck or stopped" {
			t.Errorf("got %v", err)
		}
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(interrupted); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "http") {
		t.Errorf("interrupted: got %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		code                     int
		says                     string
	}{
		{"no JSON", "POST", syncPath, "accept", 400, "no JSON that is understood here: invalid character"},
		{"nothing", "POST", syncPath, "", 400, "no JSON that is understood here: EOF"},
		{"another type", "POST", syncPath, `[]`, 400, "no JSON that is understood here"},
		{"misspelt", "POST", syncPath, `{"acceptWithdrawal":"x"}`, 400, `unknown field "acceptWithdrawal"`},
		{"no word of a drain", "POST", drainPath, `{}`, 400, "does not say whether"},
		{"two values", "POST", syncPath, `{}{}`, 400, "more than one JSON value"},
		{"huge", "POST", syncPath, `{"acceptWithdrawals":"` + strings.Repeat("x", 1<<20) + `"}`, 400, "larger than 65536 bytes"},
		{"no such question", "GET", "/v2/status", "", 404, "the agent has no GET /v2/status"},
		{"wrong method", "DELETE", statusPath, "", 404, "the agent has no DELETE /v1/status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &fakeAgent{}
			r := httptest.NewRequestWithContext(withUser(t.Context(), 0), tt.method, tt.path, strings.NewReader(tt.body))
			w := httptest.NewRecorder()
			Handler(a).ServeHTTP(w, r)
			var f failure
			if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
				t.Fatalf("%q: %v", w.Body, err)
			}
			if w.Code != tt.code || !strings.Contains(f.Error, tt.says) {
				t.Errorf("got %d %q, want %d %q", w.Code, f.Error, tt.code, tt.says)
			}
			if a.asked != nil {
				t.Errorf("the agent was asked for %q", a.asked)
			}
		})
	}
}

// withUser makes a context as of a connection from a user's process.
func withUser(ctx context.Context, uid uint32) context.Context {
	return context.WithValue(ctx, peerKey{}, unix.Ucred{Uid: uid})
}

// Whoever can open the socket may ask; only root may have something done, and a peer without a name may not.
func TestOnlyRootChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		ctx  context.Context
		path string
		code int
	}{
		"root":            {withUser(t.Context(), 0), syncPath, 200},
		"another user":    {withUser(t.Context(), 1000), syncPath, 403},
		"nobody known":    {t.Context(), syncPath, 403},
		"a user who asks": {withUser(t.Context(), 1000), planPath, 200},
	} {
		a := &fakeAgent{}
		method := map[bool]string{true: "POST", false: "GET"}[tt.path == syncPath]
		w := httptest.NewRecorder()
		Handler(a).ServeHTTP(w, httptest.NewRequestWithContext(tt.ctx, method, tt.path, strings.NewReader("{}")))
		if w.Code != tt.code || (a.asked != nil) != (tt.code == 200) {
			t.Errorf("%s: code %d, asked %q, %s", name, w.Code, a.asked, w.Body)
		}
	}
}

// The kernel says who is at the other end: the group of the socket may ask, and no more; others cannot even that.
func TestOtherUsers(t *testing.T) {
	needsRoot(t)
	a := &fakeAgent{}
	socket := serve(t, a)
	for dir := filepath.Dir(socket); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	group := clientAs(socket, 65534, 0)
	if _, err := group.Status(t.Context()); err != nil {
		t.Errorf("the group asks: %v", err)
	}
	if _, err := clientAs(socket, 65534, 0).Sync(t.Context(), SyncRequest{}); err == nil || !strings.Contains(err.Error(), "run it as root") {
		t.Errorf("the group syncs: %v", err)
	}
	if _, err := clientAs(socket, 65534, 65534).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "permission denied: be root or of the socket's group") {
		t.Errorf("another asks: %v", err)
	}
	if d := cmp.Diff([]string{"status"}, a.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

// clientAs returns a client that connects as another user, on a thread that ends with it.
func clientAs(socket string, uid, gid uintptr) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		type result struct {
			conn net.Conn
			err  error
		}
		done := make(chan result)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread, which is nobody's now, ends with the goroutine
			for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS}, {unix.SYS_SETRESGID, gid, gid, gid}, {unix.SYS_SETRESUID, uid, uid, uid}} {
				if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
					done <- result{err: errno}
					return
				}
			}
			conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
			done <- result{conn, err}
		}()
		r := <-done
		return r.conn, r.err
	}
	c := NewClient(socket)
	c.http.Transport = &http.Transport{DialContext: dial}
	return c
}

// A socket that was left behind is replaced; what is no socket stays, and says so.
func TestListen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	for range 2 {
		listener, err := Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(socket)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil || !strings.Contains(err.Error(), "is there and no socket") {
		t.Errorf("a file: got %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// An answer that is being given when the server ends gets its moment.
func TestServeEnds(t *testing.T) {
	listener, err := Listen(filepath.Join(t.TempDir(), "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			cancel()
			writeJSON(w, http.StatusOK, status.Report{Version: "last"})
		}))
	}()
	if report, err := NewClient(listener.Addr().String()).Status(t.Context()); err != nil || report.Version != "last" {
		t.Errorf("last answer: %+v, %v", report, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Serve does not end")
	}
}
