// Package httpserver serves HTTP until a context ends, and then finishes the requests in progress.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Timeouts are the longest times of a server.
type Timeouts struct {
	Read     time.Duration // to read a request
	Write    time.Duration // to read a request, process it and send the response; a handler may extend it
	Idle     time.Duration // of a connection without a request
	Shutdown time.Duration // to finish the requests in progress
}

// Serve listens on an address and returns the one it got: port 0 takes a free port. Goroutines of the group serve the handler
// until ctx ends.
func Serve(
	ctx context.Context, group *errgroup.Group, addr string, handler http.Handler, timeouts Timeouts, log *zap.Logger,
) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:      handler,
		ReadTimeout:  timeouts.Read,
		WriteTimeout: timeouts.Write,
		IdleTimeout:  timeouts.Idle,
		ErrorLog:     zap.NewStdLog(log),
	}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", addr, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeouts.Shutdown)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			_ = server.Close()
			return fmt.Errorf("finish requests in progress: %w", err)
		}
		return nil
	})
	return listener.Addr().String(), nil
}
