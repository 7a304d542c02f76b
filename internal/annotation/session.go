package annotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/idempotency"
	"docket/internal/phase"
	"docket/internal/ranking"
)

// SessionTransfer counts the annotations of a session that became the user's, and those that were deleted because the user had
// one or the session a later one. Each URL type, record type, agency, location and endorsed name counts.
type SessionTransfer struct {
	Transferred, Skipped int32
}

// TransferSession makes the annotations of an anonymous session annotations of a user, kind by kind. The user's own URL type and
// record type stay; agencies, locations and endorsed names are added to the user's. It deletes all annotations of the session,
// but keeps what they said, so that the session is not offered the URLs again. An unknown session has none.
//
// The session's skips become the user's, except of URLs that the user has skipped or answered. So does its reservation, unless the
// user has one. The session may be offered these URLs again. They are not counted in the result.
//
// An answer that is being stored is waited for: one of the session is then transferred; one of the user has precedence. The session
// is locked first, as its answers and skips do, then the user, as changes of the user's answers do, so that these cannot deadlock
// with the transfer. A recount of one of its URLs stores done rows of the session at the end. Their foreign key does not wait for
// the lock of the transfer.
func (s *Service) TransferSession(ctx context.Context, userID int32, session Session) (SessionTransfer, error) {
	ctx, end := phase.Start(ctx, phase.Submit)
	defer end()
	done, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (SessionTransfer, error) {
		// A savepoint, because an unknown session has a result too, which is stored under an Idempotency-Key.
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return lockSession(ctx, tx, session) })
		if errors.Is(err, errUnknownSession) {
			return SessionTransfer{}, s.transferOnlyReservation(ctx, tx, userID, session)
		}
		if err != nil {
			return SessionTransfer{}, err
		}
		return s.transferSession(ctx, tx, userID, session)
	})
	if err != nil {
		return SessionTransfer{}, fmt.Errorf("transfer session: %w", err)
	}
	if done != (SessionTransfer{}) {
		s.onDue()
	}
	return done, nil
}

// errUnknownSession rolls back the row that lockSession has inserted.
var errUnknownSession = errors.New("the session has no answers")

// lockSession waits for answers of the session that are being stored, also for its first one, which stores the session. It returns
// errUnknownSession if there is none.
func lockSession(ctx context.Context, tx pgx.Tx, session Session) error {
	for range 2 {
		known, err := queries.AnonymousSessionLock(ctx, tx, session)
		if err != nil {
			return fmt.Errorf("lock session: %w", err)
		}
		if known > 0 {
			return nil
		}
		inserted, err := queries.AnonymousSessionInsert(ctx, tx, session)
		if err != nil {
			return fmt.Errorf("wait for the first answer of the session: %w", err)
		}
		if inserted > 0 {
			return errUnknownSession
		}
	}
	return errUnknownSession // another program has deleted the session between two statements
}

// transferSession transfers a session that is locked.
func (s *Service) transferSession(ctx context.Context, tx pgx.Tx, userID int32, session Session) (done SessionTransfer, err error) {
	if err := lockUser(ctx, tx, userID); err != nil {
		return done, fmt.Errorf("lock the user: %w", err)
	}
	urlIDs, err := queries.AnonymousURLLockMany(ctx, tx, session)
	if err != nil {
		return done, fmt.Errorf("lock URLs: %w", err)
	}
	if len(urlIDs) == 0 {
		return done, nil
	}
	answered, err := queries.MigratedAnswerUpsertMany(ctx, tx, session)
	if err != nil {
		return done, fmt.Errorf("keep answers of the session: %w", err)
	}
	before, err := saidBy(ctx, tx, userID, answered)
	if err != nil {
		return done, err
	}
	if done.Transferred, err = copyAnnotations(ctx, tx, userID, session); err != nil {
		return done, err
	}
	after, err := saidBy(ctx, tx, userID, answered)
	if err != nil {
		return done, err
	}
	if err := recordTransfer(ctx, tx, userID, session, before, after); err != nil {
		return done, err
	}
	deleted, err := queries.AnonymousAnnotationDelete(ctx, tx, session)
	if err != nil {
		return done, fmt.Errorf("delete annotations of the session: %w", err)
	}
	done.Skipped = deleted - done.Transferred
	// Half votes became whole ones.
	if err := consensus.AddDue(ctx, tx, urlIDs); err != nil {
		return done, err
	}
	if err := ranking.Lock(ctx, tx, urlIDs); err != nil {
		return done, err
	}
	if err := queries.AnonymousSkipTransfer(ctx, tx, db.AnonymousSkipTransferParams{
		UserID: userID, SessionID: session, URLIDs: urlIDs,
	}); err != nil {
		return done, fmt.Errorf("transfer skips: %w", err)
	}
	return done, s.transferReservation(ctx, tx, userID, session, urlIDs)
}

// transferOnlyReservation transfers a session that is not stored, which has at most a reservation.
func (s *Service) transferOnlyReservation(ctx context.Context, tx pgx.Tx, userID int32, session Session) error {
	urlIDs, err := queries.AnonymousReservedURLLockMany(ctx, tx, session)
	if err != nil {
		return fmt.Errorf("lock the reserved URL: %w", err)
	}
	if len(urlIDs) == 0 {
		return nil
	}
	if err := ranking.Lock(ctx, tx, urlIDs); err != nil {
		return err
	}
	return s.transferReservation(ctx, tx, userID, session, urlIDs)
}

// transferReservation transfers the reservation of a session, and recounts the URLs of the transfer, whose rows of the queue are
// locked.
func (s *Service) transferReservation(ctx context.Context, tx pgx.Tx, userID int32, session Session, urlIDs []int32) error {
	to := db.AnonymousReservationTransferParams{UserID: userID, SessionID: session}
	if err := queries.AnonymousReservationTransfer(ctx, tx, to); err != nil {
		return fmt.Errorf("transfer the reservation: %w", err)
	}
	if err := ranking.Recount(ctx, tx, urlIDs); err != nil {
		return err
	}
	return s.trim(ctx, tx, urlIDs)
}

// copyAnnotations returns the number of rows that the user got.
func copyAnnotations(ctx context.Context, tx pgx.Tx, userID int32, session Session) (copied int32, err error) {
	to := db.AnonymousURLTypeTransferParams{UserID: userID, SessionID: session}
	for _, kind := range []struct {
		name string
		copy func() (int64, error)
	}{
		{"URL types", func() (int64, error) { return queries.AnonymousURLTypeTransfer(ctx, tx, to) }},
		{"record types", func() (int64, error) {
			return queries.AnonymousRecordTypeTransfer(ctx, tx, db.AnonymousRecordTypeTransferParams(to))
		}},
		{"agencies", func() (int64, error) {
			return queries.AnonymousAgencyTransfer(ctx, tx, db.AnonymousAgencyTransferParams(to))
		}},
		{"locations", func() (int64, error) {
			return queries.AnonymousLocationTransfer(ctx, tx, db.AnonymousLocationTransferParams(to))
		}},
		{"endorsed names", func() (int64, error) {
			return queries.AnonymousEndorsementTransfer(ctx, tx, db.AnonymousEndorsementTransferParams(to))
		}},
	} {
		rows, err := kind.copy()
		if err != nil {
			return 0, fmt.Errorf("copy %s: %w", kind.name, err)
		}
		copied += int32(rows)
	}
	return copied, nil
}

// saidBy returns all that a user says about URLs, by URL.
func saidBy(ctx context.Context, tx pgx.Tx, userID int32, urlIDs []int32) ([]db.UserAnswerListManyRow, error) {
	rows, err := queries.UserAnswerListMany(ctx, tx, db.UserAnswerListManyParams{UserID: userID, URLIDs: urlIDs})
	if err != nil {
		return nil, fmt.Errorf("read answers of the user: %w", err)
	}
	return rows, nil
}

// nothing is what a user says about a URL without an answer.
const nothing = "{}"

// recordTransfer appends to the history that the answers of the session are taken back, and what the user says instead, if that has
// changed. Both lists are about the same URLs.
func recordTransfer(
	ctx context.Context, tx pgx.Tx, userID int32, session Session, before, after []db.UserAnswerListManyRow,
) error {
	var events []history.Event
	for i, row := range after {
		events = append(events, history.Event{
			URLID: row.URLID, Kind: history.TakenBack, Session: &session, Detail: history.TakeBack{Cause: history.Migration},
		})
		if bytes.Equal(before[i].Said, row.Said) {
			continue
		}
		event := history.Event{URLID: row.URLID, Kind: history.Changed, UserID: &userID}
		if string(before[i].Said) == nothing {
			event.Kind = history.Answered
		}
		answer, err := history.ParseAnswer(row.Said)
		if err != nil {
			return err
		}
		answer.Cause = history.Migration
		event.Detail = answer
		events = append(events, event)
	}
	return history.Append(ctx, tx, events)
}
