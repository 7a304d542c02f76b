package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Check is one condition for serving requests. Its name is shown to anybody, its error to the log.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// What the checks may cost: nobody needs a token to ask for them.
const (
	checksTimeout = 2 * time.Second
	checksKept    = time.Second
)

// health answers those who run Docket.
type health struct {
	checks []Check
	clock  func() time.Time

	mu   sync.Mutex // held while the checks run, so that they run once however many ask
	at   time.Time  // of the last run; zero before the first
	last error
}

// Healthz says that the process is alive; it asks nothing of the database.
func (*health) Healthz(context.Context, HealthzRequestObject) (HealthzResponseObject, error) {
	return Healthz200JSONResponse{Status: Ok}, nil
}

// Readyz answers with what every check said a moment ago at most, and names those that failed.
func (h *health) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.clock(); h.at.IsZero() || now.Sub(h.at) >= checksKept {
		// One asker's leaving must not decide for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checksTimeout)
		defer cancel()
		h.last, h.at = h.run(ctx), now
	}
	if h.last != nil {
		return nil, h.last
	}
	return Readyz200JSONResponse{Status: Ok}, nil
}

func (h *health) run(ctx context.Context) error {
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
	if len(failed) == 0 {
		return nil
	}
	notReady := statusError{http.StatusServiceUnavailable, "Not ready: " + strings.Join(failed, ", ")}
	return fmt.Errorf("%w: %w", notReady, errors.Join(causes...))
}
