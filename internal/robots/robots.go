// Package robots owns what robots suggest: it checks suggestions and stores them, from requests and from files. It trusts a
// robot's word for a suggestion, never for a fact.
package robots

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/db"
)

var queries = db.New()

// Service stores what robots suggest. It is safe for concurrent use.
type Service struct {
	pool *pgxpool.Pool
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *pgxpool.Pool) *Service { return &Service{pool: pool} }
