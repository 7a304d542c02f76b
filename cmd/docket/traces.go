package main

import (
	"context"

	"go.uber.org/zap"

	"docket/internal/tracing"
)

// checkTraces refuses variables of OpenTelemetry that Docket cannot follow. They have no flags: their names are those of the
// standard.
func checkTraces() error {
	if err := tracing.CheckEnvironment(); err != nil {
		return usageError{err}
	}
	return nil
}

// startTraces makes the process trace if the environment asks for it. The caller must close cfg.traces.
func (cfg *processConfig) startTraces(ctx context.Context, log *zap.Logger) (err error) {
	cfg.traces, err = tracing.FromEnvironment(ctx, build(), log)
	if cfg.traces != nil {
		log.Info("traces are exported")
	}
	return err
}
