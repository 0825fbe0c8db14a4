package speaker

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Why a session is down GoBGP tells in part by its events, and in part only in its log: an attempt to connect that fails is
// no change of state, and graceful restart hides what ended the session. So its log is heard for the few messages below.

// maxTold bounds how many reasons are logged while a session stays down; status has the last one in any case.
const maxTold = 4

// outage is why a session is down, or may go down in a moment.
type outage struct {
	last  string         // the last reason; "" while the session is up
	ended string         // what was heard of a session that is up: its end follows
	heard map[string]int // how often each reason was heard since the session was up
}

// add counts a reason why the session does not come up. It is to be logged the second time: two neighbours that connect to
// each other at once close one connection in good order.
func (o *outage) add(why string) (tell bool) {
	if o.heard == nil {
		o.heard = map[string]int{}
	}
	o.last = why
	if _, known := o.heard[why]; !known && len(o.heard) >= maxTold {
		return false
	}
	o.heard[why]++
	return o.heard[why] == 2
}

// begin notes why a session that was up is down. What is heard of it again is no news.
func (o *outage) begin(why string) { *o = outage{last: why, heard: map[string]int{why: 2}} }

// whyDown puts into words what GoBGP logs of a neighbour; "": it is not why a session is down.
func whyDown(r slog.Record) string {
	var code, subcode uint8
	var text, said string
	var data []byte
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "Code":
			code = uint8(a.Value.Int64())
		case "Subcode":
			subcode = uint8(a.Value.Int64())
		case "Communicated-Reason":
			said = a.Value.String()
		case "Data":
			data, _ = a.Value.Any().([]byte)
		case "Error":
			text = a.Value.String()
		}
		return true
	})
	switch r.Message {
	case "failed to connect":
		return whyUnconnected(text)
	case "outgoing connection IO error":
		return "the neighbour closes the connection before it says who it is"
	case "received notification":
		code, subcode, said = unwrap(code, subcode, said, data)
		why := "the neighbour has ended it: notification received, " + notification(code, subcode)
		if said != "" {
			why += fmt.Sprintf(": %q", said)
		}
		return why
	case "sent notification":
		return whyEnded(code, subcode)
	}
	return ""
}

// unwrap takes out of a hard reset what it has in it (RFC 8538, 3.1), and out of that the communication (RFC 9003).
func unwrap(code, subcode uint8, said string, data []byte) (uint8, uint8, string) {
	if code != bgp.BGP_ERROR_CEASE || subcode != bgp.BGP_ERROR_SUB_HARD_RESET || len(data) < 2 {
		return code, subcode, said
	}
	code, subcode, data = data[0], data[1], data[2:]
	if len(data) > 1 && int(data[0]) <= len(data)-1 &&
		(subcode == bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN || subcode == bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET) {
		said = string(data[1 : 1+int(data[0])])
	}
	return code, subcode, said
}

// whyUnconnected explains an attempt to connect that failed: "dial tcp …: connect: connection refused".
func whyUnconnected(text string) string {
	cause := text[strings.LastIndex(text, ": ")+1:]
	switch cause = strings.TrimSpace(cause); cause {
	case "i/o timeout":
		return "no answer to the attempt to connect: the neighbour is not reachable, port 179 is filtered, or the password differs"
	case "connection refused":
		return "connection refused: no BGP speaker listens there"
	}
	return "connect: " + cause
}

// whyEnded explains a NOTIFICATION that was sent; "" for one that ends what we wanted to end.
func whyEnded(code, subcode uint8) string {
	sent := "notification sent, " + notification(code, subcode)
	switch {
	case code == bgp.BGP_ERROR_CEASE:
		return ""
	case code == bgp.BGP_ERROR_HOLD_TIMER_EXPIRED:
		return "nothing was heard of the neighbour for the hold time: " + sent
	case code == bgp.BGP_ERROR_OPEN_MESSAGE_ERROR && subcode == bgp.BGP_ERROR_SUB_BAD_PEER_AS:
		return "the neighbour is in another AS than is configured: " + sent
	case code == bgp.BGP_ERROR_FSM_ERROR:
		return "the neighbour does not take our OPEN (does it know this AS and address?): " + sent
	}
	return sent
}

func notification(code, subcode uint8) string {
	return bgp.NewNotificationErrorCode(code, subcode).String()
}

// whyChanged puts into words what GoBGP says of a session that was up, in the words of its events.
func whyChanged(message string) string {
	switch message {
	case "hold-timer-expired":
		return "nothing was heard of the neighbour for the hold time"
	case "read-failed", "write-failed", "graceful-restart":
		return "the connection was closed or lost, without a notification"
	case "admin-down":
		return "ended here"
	}
	return message
}

// heard is told what GoBGP logs of a neighbour, in the order of its events. It is called from within GoBGP, so it waits
// for nobody; what is dropped is said again at the next attempt.
func (s *Speaker) heard(address netip.Addr, why string) {
	select {
	case s.events <- func() { s.hear(address, why) }:
	default:
	}
}

func (s *Speaker) hear(address netip.Addr, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.at(address)
	switch {
	case have == nil:
	case have.bgp == up:
		have.outage.ended = why
	case have.bgp == open && have.Fault == "":
		if have.outage.add(why) {
			s.log.Warn("BGP session does not come up", have.object(), slog.String("why", why))
		}
	}
}

// wentDown logs why a session that was up is down.
func (s *Speaker) wentDown(have *session, message string) {
	why := have.outage.ended
	if why == "" {
		why = whyChanged(message)
	}
	have.outage.begin(why)
	s.log.Warn("BGP session down", have.object(), slog.String("why", why))
}
