// Package tcp gives the sockets of PostgreSQL connections limits of seconds, so that a network that drops packets silently is
// noticed soon. It reads libpq's settings for this from connection strings, which pgx would send to the server. It opens no
// connection and knows nothing of Docket.
package tcp

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Without settings in the connection string a dead peer is noticed after UserTimeout: when sent data is not acknowledged for
// so long, or, while the peer has nothing to send, when it does not respond to keepalives. The operating system would need
// 15 minutes and two hours.
const (
	UserTimeout       = 5 * time.Second
	KeepaliveIdle     = 2 * time.Second
	KeepaliveInterval = time.Second
	KeepaliveCount    = 3
)

// An attempt to connect to one address is limited by ConnectTimeout or, if the connection string has several servers, by
// ConnectTimeoutOfSeveral: the next one is tried only after it. A connect_timeout in the string has precedence.
const (
	ConnectTimeout          = 5 * time.Second
	ConnectTimeoutOfSeveral = time.Second
)

// Configure makes a configuration open its sockets with these limits. The settings keepalives, keepalives_idle,
// keepalives_interval, keepalives_count (seconds) and tcp_user_timeout (milliseconds) of its connection string have the
// meaning that libpq gives them, and precedence; 0 leaves the value to the operating system. The error names the setting.
// Configure replaces config.DialFunc. Unix sockets have none of these limits.
func Configure(config *pgconn.Config) error {
	enabled, idle, interval, count, user := 1, seconds(KeepaliveIdle), seconds(KeepaliveInterval), KeepaliveCount,
		int(UserTimeout.Milliseconds())
	for _, setting := range []struct {
		name  string
		value *int
	}{
		{"keepalives", &enabled},
		{"keepalives_idle", &idle},
		{"keepalives_interval", &interval},
		{"keepalives_count", &count},
		{"tcp_user_timeout", &user},
	} {
		text, given := config.RuntimeParams[setting.name]
		if !given {
			continue
		}
		delete(config.RuntimeParams, setting.name)
		var err error
		if *setting.value, err = strconv.Atoi(strings.TrimSpace(text)); err != nil || *setting.value < 0 {
			return fmt.Errorf("the database URL has %s=%q, which is not a number from 0", setting.name, text)
		}
	}
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{
			Enable:   enabled != 0,
			Idle:     systemDefault(time.Duration(idle) * time.Second),
			Interval: systemDefault(time.Duration(interval) * time.Second),
			Count:    systemDefault(count),
		},
		KeepAlive:      -1, // without KeepAliveConfig, net would enable keepalives with values of its own
		ControlContext: userTimeout(user),
	}
	several := hasSeveralServers(config)
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = ConnectTimeout
		if several {
			config.ConnectTimeout = ConnectTimeoutOfSeveral
		}
	}
	timeout := config.ConnectTimeout
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		// Requests to cancel a statement are sent by pgx without a limit of their own.
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dialer.DialContext(ctx, network, address)
	}
	if several {
		config.DialFunc = silentServers.dial(config.DialFunc)
	}
	return nil
}

func seconds(d time.Duration) int { return int(d.Seconds()) }

// systemDefault returns what net.KeepAliveConfig takes for the default of the operating system, for 0.
func systemDefault[T int | time.Duration](value T) T {
	if value == 0 {
		return -1
	}
	return value
}
