// Package httpserver serves HTTP until a context ends, and then finishes the requests in progress.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Limits are the limits of a server.
type Limits struct {
	Read     time.Duration // to read a request
	Write    time.Duration // to read a request, process it and send the response; a handler may extend it
	Idle     time.Duration // of a connection without a request
	Shutdown time.Duration // to finish the requests in progress
	Conns    int           // connections that are open at the same time; further ones wait in the system's queue. 0: no limit
}

// maxHeaderBytes is the longest header of a request, in which a token takes about one kilobyte. With net/http's default, the
// headers of a thousand requests may take a gigabyte.
const maxHeaderBytes = 64 << 10

// Serve listens on an address and returns the one it got: port 0 takes a free port. Goroutines of the group serve the handler
// until ctx ends, with TLS and HTTP/2 when secure is not nil.
func Serve(
	ctx context.Context, group *errgroup.Group, addr string, handler http.Handler, limits Limits, secure *tls.Config, log *zap.Logger,
) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	addr = listener.Addr().String()
	if limits.Conns > 0 {
		listener = netutil.LimitListener(listener, limits.Conns)
	}
	server := &http.Server{
		Handler:        handler,
		MaxHeaderBytes: maxHeaderBytes,
		ReadTimeout:    limits.Read,
		WriteTimeout:   limits.Write,
		IdleTimeout:    limits.Idle,
		ErrorLog:       zap.NewStdLog(log),
		TLSConfig:      secure,
	}
	serve := server.Serve
	if secure != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	group.Go(func() error {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", addr, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.Shutdown)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			_ = server.Close()
			return fmt.Errorf("finish requests in progress: %w", err)
		}
		return nil
	})
	return addr, nil
}
