// Package upkeep has the small periodic works that belong to no other use case: the backlog snapshot, names from page titles, and
// the deletion of what is old. Of the works that other use cases own, it says in words what they did. It does not know when they
// run: package jobs does.
package upkeep

import (
	"sync/atomic"

	"docket/internal/db"
	"docket/internal/postgres"
)

var queries = db.New()

// Service does the works. Each can be interrupted and repeated, and is safe to run in several processes at once. The result of
// each says what was done, for the history of tasks.
type Service struct {
	pool        *postgres.Pool
	differences atomic.Int64
}

// Differences returns how many differences of the queue ReconcileQueue has repaired since New.
func (s *Service) Differences() int64 { return s.differences.Load() }

// New returns a Service on the database of pool, which must be migrated. The pool must not limit the time of statements.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool} }
