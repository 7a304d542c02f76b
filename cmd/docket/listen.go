package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"docket/api"
	"docket/internal/httpserver"
	"docket/internal/postgres"
)

// addAddrFlag adds the address of the REST interface, which docket serve serves on and docket health asks.
func addAddrFlag(flags *pflag.FlagSet, addr *string) {
	flags.StringVar(addr, "addr", "127.0.0.1:8080", "`address` of the REST interface; with port 0, docket serve takes a free one")
}

// listen serves until the context ends or a server fails, then finishes the requests in progress.
func (cfg *serveConfig) listen(
	ctx context.Context, cmd *cobra.Command, db *database, pool *postgres.Pool, key []byte, handler http.Handler, metrics *api.Metrics,
	background *background, secure *tls.Config, log *zap.Logger,
) (err error) {
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop() // ends what was started before an error
		err = errors.Join(err, group.Wait())
	}()
	limits := cfg.limits()
	addr, err := serveOn(ctx, group, cfg.addr, handler, limits, secure, log)
	if err != nil {
		return err
	}
	log.Info("serving", zap.String("address", baseURL(addr, secure)))
	if err := cfg.serveAdmin(ctx, group, metrics, background, limits, log); err != nil {
		return err
	}
	background.run(ctx, group)
	db.watchServer(ctx, group)
	if cfg.printCurl {
		if err := printHints(ctx, cmd.OutOrStdout(), pool, key, baseURL(addr, secure)); err != nil {
			return err
		}
	}
	notifyManager(serviceReady, log)
	group.Go(func() error {
		<-ctx.Done()
		notifyManager(serviceStopping, log)
		log.Info("stopping: finishing requests and jobs in progress")
		return nil
	})
	<-ctx.Done() // a signal, or a part has ended
	return nil
}

// limits are those of the server of an address.
func (cfg *serveConfig) limits() httpserver.Limits {
	return httpserver.Limits{
		Read: cfg.readTimeout,
		// A request has a deadline of its own, after which the outcome of its commit is looked up for at most 7 seconds. This one only
		// disconnects clients that do not read. Long responses set their own.
		Write:    cfg.readTimeout + cfg.requestTimeout + 10*time.Second,
		Idle:     cfg.idleTimeout,
		Shutdown: cfg.shutdownTimeout,
		Conns:    cfg.maxClients,
	}
}
