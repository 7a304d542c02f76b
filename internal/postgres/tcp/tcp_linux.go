package tcp

import (
	"context"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout returns a hook of net.Dialer that sets TCP_USER_TIMEOUT; 0 leaves it to the operating system.
func userTimeout(milliseconds int) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, _ string, conn syscall.RawConn) error {
		if milliseconds == 0 || !strings.HasPrefix(network, "tcp") {
			return nil
		}
		var failure error
		err := conn.Control(func(fd uintptr) {
			failure = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, milliseconds)
		})
		if err != nil {
			return err
		}
		return failure
	}
}
