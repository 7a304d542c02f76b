package tcp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// hasSeveralServers ignores the fallbacks that try one server with and without TLS.
func hasSeveralServers(config *pgconn.Config) bool {
	return slices.ContainsFunc(config.Fallbacks, func(fallback *pgconn.FallbackConfig) bool {
		return fallback.Host != config.Host || fallback.Port != config.Port
	})
}

// silent are servers that accept connections and do not respond, as a frozen one does. Each attempt to connect would wait for
// such a server before it tries the next one. So only one attempt waits, once in pause, and the others leave it out.
type silent struct {
	least time.Duration // how long a server must have been silent
	pause time.Duration

	mu    sync.Mutex
	tried map[string]time.Time // when an attempt at the address began last
}

// silentServers are those of the process.
var silentServers = &silent{least: ConnectTimeoutOfSeveral * 9 / 10, pause: 2 * time.Second}

// leaveOut reports whether an attempt at the address, which begins now, must not wait.
func (s *silent) leaveOut(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	tried, isSilent := s.tried[address]
	if !isSilent {
		return false
	}
	if now.Sub(tried) < s.pause {
		return true
	}
	s.tried[address] = now
	return false
}

func (s *silent) responded(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tried, address)
}

// failed notes the failure of an attempt that began then, if it is that nothing came for long.
func (s *silent) failed(address string, began time.Time, err error) {
	now := time.Now()
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() || now.Sub(began) < s.least {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried == nil {
		s.tried = map[string]time.Time{}
	}
	s.tried[address] = now
}

// dial returns a function that fails at once for a server that is left out.
func (s *silent) dial(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		began := time.Now()
		if s.leaveOut(address, began) {
			return nil, fmt.Errorf("%s has just been silent for %s: %w", address, s.least, os.ErrDeadlineExceeded)
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			s.failed(address, began, err)
			return nil, err
		}
		return &listener{Conn: conn, servers: s, address: address, began: began}, nil
	}
}

// listener notices whether a server responds.
type listener struct {
	net.Conn
	servers   *silent
	address   string
	began     time.Time
	responded atomic.Bool
}

// Write recognizes a request to cancel a statement: a server says nothing in response, however healthy it is.
func (l *listener) Write(b []byte) (int, error) {
	if len(b) == cancelLength && binary.BigEndian.Uint32(b[4:]) == cancelCode {
		l.responded.Store(true)
	}
	return l.Conn.Write(b)
}

// The length and the code of CancelRequest, from "Message Formats" in the documentation of PostgreSQL.
const cancelLength, cancelCode = 16, 80877102

func (l *listener) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	switch {
	case l.responded.Load():
	case n > 0:
		l.responded.Store(true)
		l.servers.responded(l.address)
	case err != nil:
		l.servers.failed(l.address, l.began, err)
	}
	return n, err
}
