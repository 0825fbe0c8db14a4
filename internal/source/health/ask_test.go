package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// attempt asks once, against the real thing.
func attempt(t *testing.T, c Check) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := ask(ctx, c); err != nil {
		return err.Error()
	}
	return ""
}

func TestHTTP(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = w.Write([]byte(strings.Repeat("fine\n", 1000)))
		case "/elsewhere":
			http.Redirect(w, r, "http://192.0.2.1/nowhere", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	for url, want := range map[string]string{
		plain.URL + "/ok":        "",
		secure.URL + "/ok":       "",
		plain.URL + "/elsewhere": "", // it is not followed
		plain.URL + "/bad":       "the answer is 503 Service Unavailable",
		plain.URL + "/slow":      "context deadline exceeded",
	} {
		if got := attempt(t, Check{HTTP: url}); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	plain.Close()
	if got := attempt(t, Check{HTTP: plain.URL + "/ok"}); got != "connection refused" {
		t.Errorf("no server: %q", got)
	}
}

func TestTCP(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		if got := attempt(t, Check{TCP: address}); got != "" {
			t.Errorf("%s: %q", address, got)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if got := attempt(t, Check{TCP: address}); got != "connection refused" {
			t.Errorf("%s, closed: %q", address, got)
		}
	}
}

func TestCommand(t *testing.T) {
	touched := filepath.Join(t.TempDir(), "touched")
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"/bin/true"}, ""},
		{[]string{"/bin/false"}, "exit status 1"},
		{[]string{"/bin/sh", "-c", "echo one; echo two >&2; exit 3"}, "exit status 3: two"},
		{[]string{"/bin/echo", "a; touch " + touched, "$(touch " + touched + ")"}, ""}, // no shell looks at it
		{[]string{"/nonexistent"}, "fork/exec /nonexistent: no such file or directory"},
	} {
		if got := attempt(t, Check{Command: tt.argv}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.argv, got, tt.want)
		}
	}
	if _, err := os.Stat(touched); err == nil {
		t.Error("a shell has looked at an argument")
	}
	// What it has started ends with it, and cannot hold it up.
	began := time.Now()
	if got := attempt(t, Check{Command: []string{"/bin/sh", "-c", "sleep 60 & sleep 60"}}); got == "" {
		t.Error("a program that does not end passes")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to end it", took)
	}
}
