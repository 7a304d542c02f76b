package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Check is one condition for serving requests. Its name is shown to anybody, its error to the log.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// health answers those who run Docket.
type health struct {
	checks []Check
}

// Healthz says that the process is alive; it asks nothing of the database.
func (health) Healthz(context.Context, HealthzRequestObject) (HealthzResponseObject, error) {
	return Healthz200JSONResponse{Status: Ok}, nil
}

// Readyz runs every check and names those that failed.
func (h health) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	var (
		failed []string
		causes []error
	)
	for _, check := range h.checks {
		if err := check.Run(ctx); err != nil {
			failed = append(failed, check.Name)
			causes = append(causes, fmt.Errorf("check %s: %w", check.Name, err))
		}
	}
	if len(failed) > 0 {
		notReady := statusError{http.StatusServiceUnavailable, "Not ready: " + strings.Join(failed, ", ")}
		return nil, fmt.Errorf("%w: %w", notReady, errors.Join(causes...))
	}
	return Readyz200JSONResponse{Status: Ok}, nil
}
