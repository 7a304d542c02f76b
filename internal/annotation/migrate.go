package annotation

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// Migration says how many URLs of a session became a user's, and how many did not, because they had been the user's before.
type Migration struct {
	Migrated, Skipped int32
}

// Migrate hands what an anonymous session said to a user and closes the session: from then on it is an *unknown.Error. A URL
// that the user annotated keeps the user's own answer, and the session's is dropped. An answer of the session that is being
// stored meanwhile is either handed over too or refused.
//
// The session is locked first, so a recount that finds one of its URLs eligible again at this very moment can deadlock with
// this. Both are transactions that are repeated; no answer is part of it, since an answer locks the session before the queue.
func (s *Service) Migrate(ctx context.Context, userID int32, session Session) (Migration, error) {
	defer phase.Start(ctx, phase.Submit)()
	var done Migration
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		done, err = s.migrate(ctx, tx, userID, session)
		return err
	})
	if err != nil {
		return Migration{}, fmt.Errorf("migrate session: %w", err)
	}
	return done, nil
}

func (s *Service) migrate(ctx context.Context, tx pgx.Tx, userID int32, session Session) (done Migration, err error) {
	known, err := queries.AnonymousSessionLock(ctx, tx, session)
	if err != nil {
		return done, fmt.Errorf("lock session: %w", err)
	}
	if known == 0 {
		return done, unknown.New(unknown.Session, session)
	}
	if err := queries.AnonymousURLLockMany(ctx, tx, session); err != nil {
		return done, fmt.Errorf("lock URLs: %w", err)
	}
	answered, err := queries.AnonymousAnnotationMigrate(ctx, tx,
		db.AnonymousAnnotationMigrateParams{SessionID: session, UserID: userID})
	if err != nil {
		return done, fmt.Errorf("hand over: %w", err)
	}
	if err := queries.AnonymousAnnotationDelete(ctx, tx, session); err != nil {
		return done, fmt.Errorf("drop what the session said: %w", err)
	}
	var urlIDs []int32
	for _, url := range answered {
		if url.Migrated {
			done.Migrated++
		} else {
			urlIDs = append(urlIDs, url.URLID)
		}
	}
	done.Skipped = int32(len(urlIDs)) - done.Migrated
	if err := ranking.Recount(ctx, tx, urlIDs); err != nil {
		return done, err
	}
	if err := queries.AnonymousSessionDelete(ctx, tx, session); err != nil {
		return done, fmt.Errorf("close session: %w", err)
	}
	return done, nil
}
