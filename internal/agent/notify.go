package agent

import (
	"errors"
	"net"
	"os"
)

// notifySystemd sends a state ("READY=1", "STATUS=…") to the service manager that started us; without one it does
// nothing. See sd_notify(3).
func notifySystemd(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}
