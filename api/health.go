package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"docket/internal/views"
)

// Check is a condition for serving requests. Its name is public, its error appears in the log only.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Limits of the checks, because they can be requested without a token.
const (
	checksTimeout = 2 * time.Second
	checksCached  = time.Second
)

// healthHandlers report whether Docket can serve requests.
type healthHandlers struct {
	checks []Check
	views  ViewsFunc // may be nil
	clock  func() time.Time

	mu     sync.Mutex // held while the checks run, so that concurrent requests share one run
	ranAt  time.Time  // end of the last run; zero before the first
	result error
	ages   []ViewAge
}

// Healthz reports that the process is alive. It does not use the database.
func (*healthHandlers) Healthz(context.Context, HealthzRequestObject) (HealthzResponseObject, error) {
	return Healthz200JSONResponse{Status: HealthStatusOK}, nil
}

// Readyz returns the result of the checks, at most checksCached old, and names the checks that failed.
func (h *healthHandlers) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ranAt.IsZero() || h.clock().Sub(h.ranAt) >= checksCached {
		// A client that leaves must not end the run for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checksTimeout)
		defer cancel()
		h.ages, h.result = h.run(ctx)
		h.ranAt = h.clock() // after the run, so that requests that waited for a slow run do not each start another
	}
	if h.result != nil {
		return nil, h.result
	}
	return Readyz200JSONResponse{Status: HealthStatusOK, Views: h.ages}, nil
}

func (h *healthHandlers) run(ctx context.Context) ([]ViewAge, error) {
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
	var ages []ViewAge
	if len(failed) == 0 {
		var err error
		if ages, err = h.viewAges(ctx); err != nil {
			failed, causes = []string{"views"}, []error{err}
		}
	}
	if len(failed) > 0 {
		notReady := statusError{http.StatusServiceUnavailable, "Not ready: " + strings.Join(failed, ", ")}
		return nil, fmt.Errorf("%w: %w", notReady, errors.Join(causes...))
	}
	return ages, nil
}

// viewAges returns the ages of the views. Whether one is too old is decided by a check.
func (h *healthHandlers) viewAges(ctx context.Context) ([]ViewAge, error) {
	ages := []ViewAge{}
	if h.views == nil {
		return ages, nil
	}
	views, err := h.views(ctx)
	if err != nil {
		return nil, fmt.Errorf("read views: %w", err)
	}
	for _, view := range views {
		ages = append(ages, viewAge(view))
	}
	return ages, nil
}

func viewAge(view views.View) ViewAge {
	if view.RefreshedAt == nil {
		return ViewAge{Name: view.Name}
	}
	age := view.Age.Seconds()
	return ViewAge{Name: view.Name, RefreshedAt: view.RefreshedAt, AgeSeconds: &age}
}
