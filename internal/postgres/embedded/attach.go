package embedded

import (
	"context"
	"errors"
	"time"
)

// Another process may be starting or stopping the server of the data directory. Attach waits for it.
const (
	inUseWait  = 15 * time.Second
	inUsePause = 100 * time.Millisecond
)

// Attach returns the URL of the server that runs on the data directory, or starts one, which the caller must stop. The
// server is nil when another process runs it.
func Attach(ctx context.Context, cfg Config) (url string, _ *Server, err error) {
	for last := time.Now().Add(inUseWait); ; {
		url, err := RunningURL(cfg.DataDir)
		if err == nil {
			return url, nil, nil
		}
		if !errors.Is(err, ErrNotRunning) {
			return "", nil, err
		}
		server, err := Start(ctx, cfg)
		if err == nil {
			return server.URL(), server, nil
		}
		if !errors.Is(err, ErrInUse) || time.Now().After(last) {
			return "", nil, err
		}
		select {
		case <-ctx.Done():
			return "", nil, context.Cause(ctx)
		case <-time.After(inUsePause):
		}
	}
}
