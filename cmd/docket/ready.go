package main

import (
	"context"
	"sync"

	"docket/api"
	"docket/internal/postgres"
	"docket/internal/views"
)

// checks are those of /readyz. They open connections of their own: all those of the pool may be in use while requests are served.
func (cfg *serveConfig) checks(db *database) (checks []api.Check) {
	if db.server != nil {
		checks = append(checks, api.Check{Name: "PostgreSQL is being restarted", Run: func(context.Context) error { return db.server.Down() }})
	}
	checks = append(checks,
		api.Check{Name: "database", Run: db.health.Check},
		api.Check{Name: "migrations", Run: unlessBusy(db.checkMigrated)})
	if cfg.ranking == rankingMatview || cfg.viewsMaxAge > 0 {
		checks = append(checks, api.Check{Name: "views", Run: unlessBusy(func(ctx context.Context) error {
			return postgres.WithOneConn(ctx, db.direct, func(pool *postgres.Pool) error { return views.Check(ctx, pool, cfg.viewsMaxAge) })
		})})
	}
	return checks
}

// unlessBusy returns a check that passes when the server has no connection left for it, or takes too long. Under overload that says
// nothing about what is checked, and whether the database can be used is another check.
func unlessBusy(check func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, postgres.NewConnTimeout)
		defer cancel()
		if err := check(ctx); !postgres.IsBusy(err) {
			return err
		}
		return nil
	}
}

// lastKnown returns what list has returned last when the server has no connection left for it, or takes too long.
func lastKnown(list api.ViewsFunc) api.ViewsFunc {
	var mu sync.Mutex
	var last []views.View
	return func(ctx context.Context) ([]views.View, error) {
		ctx, cancel := context.WithTimeout(ctx, postgres.NewConnTimeout)
		defer cancel()
		found, err := list(ctx)
		mu.Lock()
		defer mu.Unlock()
		if postgres.IsBusy(err) {
			return last, nil
		}
		if err == nil {
			last = found
		}
		return found, err
	}
}
