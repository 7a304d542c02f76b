package httpserver_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"docket/internal/httpserver"
)

var limits = httpserver.Limits{Read: time.Minute, Write: time.Minute, Idle: time.Minute, Shutdown: time.Minute}

// A request in progress when the context ends gets its response, and the group ends without an error.
func TestServeFinishesRequests(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	arrived, release := make(chan struct{}), make(chan struct{})
	addr, err := httpserver.Serve(ctx, &group, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}), limits, nil, zap.NewNop())
	require.NoError(t, err)
	body := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + addr)
		if err != nil {
			body <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		body <- string(text)
	}()
	<-arrived
	stop()
	close(release)
	require.Equal(t, "done", <-body)
	require.NoError(t, group.Wait())

	_, err = http.Get("http://" + addr)
	require.Error(t, err, "the server no longer listens")
}

func TestServeRefusesAnAddressInUse(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	addr, err := httpserver.Serve(ctx, &group, "127.0.0.1:0", http.NotFoundHandler(), limits, nil, zap.NewNop())
	require.NoError(t, err)
	_, err = httpserver.Serve(ctx, &group, addr, http.NotFoundHandler(), limits, nil, zap.NewNop())
	require.ErrorContains(t, err, "listen: ")
	stop()
	require.NoError(t, group.Wait())
}
