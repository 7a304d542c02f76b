package benchmarks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/benchmarks/measure"
)

const readEvery = 10 * time.Millisecond

// readSteadily calls ask a hundred times a second, on its own connection, until stop is closed. It calls ready before the
// first measured call, or when it has failed.
func (r *run) readSteadily(
	ctx context.Context, ready func(), stop <-chan struct{}, ask func(context.Context, *pgx.Conn) error,
) (measure.Series, error) {
	config := r.pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0" // a reader may have to wait for a refresh
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		ready()
		return measure.Series{}, fmt.Errorf("connect reader: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range measure.WarmUp {
		if err = ask(ctx, conn); err != nil {
			break
		}
	}
	ready()
	if err != nil {
		return measure.Series{}, err
	}
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	var found measure.Series
	for {
		begin := time.Now()
		if err := ask(ctx, conn); err != nil {
			return measure.Series{}, err
		}
		// Reads that were due during the call would have waited too, each 10 ms less than the one before.
		for took := time.Since(begin); took > 0; took -= readEvery {
			found.Times = append(found.Times, took)
		}
		select {
		case <-stop:
			slices.Sort(found.Times)
			return found, nil
		case <-tick.C:
		}
	}
}
