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
	views  ViewsFunc // may be nil
	clock  func() time.Time

	mu   sync.Mutex // held while the checks run, so that they run once however many ask
	at   time.Time  // of the last run; zero before the first
	last error
	ages []ViewAge
}

// Healthz says that the process is alive; it asks nothing of the database.
func (*health) Healthz(context.Context, HealthzRequestObject) (HealthzResponseObject, error) {
	return Healthz200JSONResponse{Status: HealthStatusOk}, nil
}

// Readyz answers with what every check said a moment ago at most, and names those that failed.
func (h *health) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || h.clock().Sub(h.at) >= checksKept {
		// One asker's leaving must not decide for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checksTimeout)
		defer cancel()
		h.ages, h.last = h.run(ctx)
		h.at = h.clock() // now, not before: those who waited for a slow run must not each begin another
	}
	if h.last != nil {
		return nil, h.last
	}
	return Readyz200JSONResponse{Status: HealthStatusOk, Views: h.ages}, nil
}

func (h *health) run(ctx context.Context) ([]ViewAge, error) {
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

// viewAges tells how old the views are; whether that is too old is for a check to say.
func (h *health) viewAges(ctx context.Context) ([]ViewAge, error) {
	ages := []ViewAge{}
	if h.views == nil {
		return ages, nil
	}
	views, err := h.views(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at views: %w", err)
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
