package speaker

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestWhyDown: what GoBGP logs, in its words, and what becomes of it.
func TestWhyDown(t *testing.T) {
	for _, tt := range []struct {
		message string
		attrs   []any
		want    string
	}{
		{"failed to connect", []any{"Error", "dial tcp 0.0.0.0:0->192.0.2.1:179: connect: connection refused"}, "connection refused: no BGP"},
		{"failed to connect", []any{"Error", "dial tcp 0.0.0.0:0->192.0.2.1:179: i/o timeout"}, "or the password differs"},
		{"failed to connect", []any{"Error", "dial tcp: connect: no route to host"}, "connect: no route to host"},
		{"received notification", []any{"Code", 6, "Subcode", 2, "Communicated-Reason", "rack 7"}, `administrative shutdown): "rack 7"`},
		{"received notification", []any{"Code", 6, "Subcode", 9, "Data", []byte("\x06\x02\x06rack 7")}, `administrative shutdown): "rack 7"`},
		{"received notification", []any{"Code", 6, "Subcode", 9, "Data", []byte{4, 0}}, "code 4(hold timer"},
		{"sent notification", []any{"Code", 4, "Subcode", 0}, "for the hold time: notification sent, code 4"},
		{"sent notification", []any{"Code", 2, "Subcode", 2}, "another AS than is configured"},
		{"sent notification", []any{"Code", 6, "Subcode", 3}, ""}, // ended here, on purpose
		{"try to connect", nil, ""},
	} {
		var got string
		r := slog.NewRecord(time.Time{}, slog.LevelDebug, tt.message, 0)
		r.Add(tt.attrs...)
		if got = whyDown(r); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s %v: %q, want %q", tt.message, tt.attrs, got, tt.want)
		}
	}
}

// TestHush: of GoBGP's debugging only what says why a neighbour is down is heard, and none of it is passed on.
func TestHush(t *testing.T) {
	var log strings.Builder
	var heard []string
	h := hush(slog.NewTextHandler(&log, nil), func(a netip.Addr, why string) { heard = append(heard, a.String()+" "+why) })
	peer := slog.New(h).With("Topic", "Peer", "Key", "fe80::1%eth1")
	peer.Debug("failed to connect", "Error", "connect: connection refused")
	peer.Debug("sent", "Data", "an update")
	slog.New(h).Debug("failed to connect", "Error", "of nobody")
	if len(heard) != 1 || !strings.HasPrefix(heard[0], "fe80::1%eth1 connection refused") {
		t.Errorf("heard %q", heard)
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
}

// TestOutage: a reason is told the second time, and no third; not all of those that change all the time; and what ended a
// session not again.
func TestOutage(t *testing.T) {
	var o outage
	told := 0
	for range 5 {
		if o.add("refused") {
			told++
		}
	}
	if told != 1 || o.last != "refused" {
		t.Errorf("told %d times, the last is %q", told, o.last)
	}
	for _, why := range []string{"a", "b", "c", "d", "e", "a", "b", "c", "d", "e"} {
		if o.add(why) {
			told++
		}
	}
	if told != maxTold {
		t.Errorf("told %d reasons", told)
	}
	o.begin("BFD")
	if o.add("BFD") || o.last != "BFD" {
		t.Errorf("told again, or forgotten: %q", o.last)
	}
}
