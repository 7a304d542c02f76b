//go:build !linux

package tcp

import (
	"context"
	"syscall"
)

// userTimeout sets nothing: only Linux has TCP_USER_TIMEOUT. Keepalives find a dead peer that has nothing to acknowledge.
func userTimeout(int) func(context.Context, string, string, syscall.RawConn) error {
	return func(context.Context, string, string, syscall.RawConn) error { return nil }
}
