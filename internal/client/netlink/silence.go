package netlink

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kindsSilent are taken along in silence by a link that goes down or away: all IPv4 routes, IPv6 ones where
// net.ipv6.route.skip_notify_on_dev_down is set, and proxy entries.
const kindsSilent = kindRoutes | kindProxies

// silence notes that the kernel removes objects without telling, and perhaps only after what made us notice: it
// announces a link that is down (__dev_notify_flags) and a deleted address (__inet_del_ifa) before the notifiers run
// that remove the routes.
func (s *store) silence(k kinds) {
	s.stale |= k
	s.silent = true
}

// settle waits until the kernel has done what it has announced. Changes of links and addresses hold the RTNL lock to
// their end; dumps of routes (since Linux 6.9) and of proxy entries do without, so a dump alone may still show what is
// about to go. To ask for one link takes the lock, whatever the answer.
func (m *Mirror) settle() error {
	const loopback = 1
	body := appendUint32(linkHeader(loopback), unix.IFLA_EXT_MASK, skipStats)
	err := m.ask.request(unix.RTM_GETLINK, unix.NLM_F_ACK, body, nil)
	if err == nil || isGone(err) {
		return nil
	}
	return fmt.Errorf("wait for the kernel's changes: %w", err)
}

// lookAgain has routes and proxy entries read anew a while after a silence, for kernels that answer settle without the
// lock. Without a silence it sleeps; another silence starts the delays anew.
func (m *Mirror) lookAgain() {
	var later <-chan time.Time
	var delays []time.Duration
	for {
		select {
		case <-m.stop:
			return
		case <-m.silences:
			delays = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}
		case <-later:
			m.mu.Lock()
			m.store.stale |= kindsSilent
			m.mu.Unlock()
			m.poke()
		}
		later = nil
		if len(delays) > 0 {
			later, delays = time.After(delays[0]), delays[1:]
		}
	}
}

// tellSilence starts lookAgain's delays if there was a silence.
func (m *Mirror) tellSilence() {
	if !m.store.silent {
		return
	}
	m.store.silent = false
	select {
	case m.silences <- struct{}{}:
	default:
	}
}

// takeLinks takes all links from a dump. The dump may be the first to tell that a link went down: the notification
// that comes after it then changes nothing.
func (s *store) takeLinks(links map[int]Link) {
	for i, old := range s.links {
		if l, has := links[i]; !has || old.AdminUp && !l.AdminUp {
			s.silence(kindsSilent)
		}
	}
	s.links = links
}
