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

// OpenSession opens an anonymous session. Sessions do not expire.
func (s *Service) OpenSession(ctx context.Context) (Session, error) {
	session, err := queries.AnonymousSessionInsert(ctx, s.pool)
	if err != nil {
		return Session{}, fmt.Errorf("open anonymous session: %w", err)
	}
	return session, nil
}

// SessionTransfer counts the URLs of a session whose answer became the user's, and those that the user had annotated before.
type SessionTransfer struct {
	Transferred, Skipped int32
}

// TransferSession makes the answers of an anonymous session answers of a user and deletes the session, which is then unknown:
// an *unknown.Error. Where the user has annotated the URL, the user's own answer stays and the session's is deleted. An answer
// of the session that is being stored concurrently is either transferred or refused.
//
// The session is locked first. A recount that makes one of its URLs eligible at the same time can therefore deadlock with the
// transfer; both are transactions that are retried. An answer cannot deadlock with it: it locks the session before the queue.
func (s *Service) TransferSession(ctx context.Context, userID int32, session Session) (SessionTransfer, error) {
	defer phase.Start(ctx, phase.Submit)()
	var done SessionTransfer
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		done, err = s.transferSession(ctx, tx, userID, session)
		return err
	})
	if err != nil {
		return SessionTransfer{}, fmt.Errorf("transfer session: %w", err)
	}
	return done, nil
}

func (s *Service) transferSession(
	ctx context.Context, tx pgx.Tx, userID int32, session Session,
) (done SessionTransfer, err error) {
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
	answered, err := queries.AnonymousAnnotationTransfer(ctx, tx,
		db.AnonymousAnnotationTransferParams{SessionID: session, UserID: userID})
	if err != nil {
		return done, fmt.Errorf("copy annotations: %w", err)
	}
	if err := queries.AnonymousAnnotationDelete(ctx, tx, session); err != nil {
		return done, fmt.Errorf("delete annotations of the session: %w", err)
	}
	var urlIDs []int32
	for _, url := range answered {
		if url.Transferred {
			done.Transferred++
		} else {
			urlIDs = append(urlIDs, url.URLID)
		}
	}
	done.Skipped = int32(len(urlIDs)) - done.Transferred
	if err := ranking.Recount(ctx, tx, urlIDs); err != nil {
		return done, err
	}
	if err := queries.AnonymousSessionDelete(ctx, tx, session); err != nil {
		return done, fmt.Errorf("delete session: %w", err)
	}
	return done, nil
}
