package annotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

var (
	// ErrNoAnswer refuses to replace an answer that the annotator has not given, or has taken back.
	ErrNoAnswer = errors.New("this annotator has no answer about the URL to replace; give one with POST")
	// ErrValidated refuses to change or take back an answer about a URL that is validated.
	ErrValidated = errors.New("the URL is validated, so the answers about it cannot be changed or taken back any more")
	// ErrMigrated refuses to change or take back an answer of a session that was migrated.
	ErrMigrated = errors.New("the session was migrated, so its answer belongs to a user, who can change it or take it back")
)

// author is an annotator who changes the own answer about one URL, and the statements for it.
type author struct {
	event  history.Event
	lock   func(context.Context, conn) error // the user or the session
	get    func(context.Context, db.DBTX) ([]db.AnswerGetRow, error)
	delete func(context.Context, db.DBTX) ([]int32, error)
	// isMigrated reports whether the annotator had an answer that belongs to another one now.
	isMigrated func(context.Context, db.DBTX) (bool, error)
}

func userAuthor(userID, urlID int32) author {
	return author{
		event: history.Event{URLID: urlID, UserID: &userID},
		lock:  func(ctx context.Context, on conn) error { return lockUser(ctx, on, userID) },
		get: func(ctx context.Context, on db.DBTX) ([]db.AnswerGetRow, error) {
			return queries.AnswerGet(ctx, on, db.AnswerGetParams{UserID: userID, URLID: urlID})
		},
		delete: func(ctx context.Context, on db.DBTX) ([]int32, error) {
			return queries.AnswerDelete(ctx, on, db.AnswerDeleteParams{UserID: userID, URLID: urlID})
		},
		isMigrated: func(context.Context, db.DBTX) (bool, error) { return false, nil },
	}
}

// lockUser makes a change of an answer of a user and a transfer to the user wait for each other. A transfer stores rows of the user
// before it locks the queue, and a change afterwards, so that they could deadlock otherwise. An answer cannot: it first stores its
// URL type, and so does the transfer.
func lockUser(ctx context.Context, on conn, userID int32) error {
	return queries.AnswerUserLock(ctx, on, userID)
}

func sessionAuthor(session Session, urlID int32) author {
	of := db.AnonymousAnswerGetParams{SessionID: session, URLID: urlID}
	return author{
		event: history.Event{URLID: urlID, Session: &session},
		lock: func(ctx context.Context, on conn) error {
			// The lock under which the session answers is taken here, because an answer has it before it locks rows.
			_, err := queries.AnswerSessionLock(ctx, postgres.WithLock(on, sessionLock(session, urlID)), session)
			return err // an unknown session has no answer
		},
		get: func(ctx context.Context, on db.DBTX) ([]db.AnswerGetRow, error) {
			rows, err := queries.AnonymousAnswerGet(ctx, on, of)
			return convert.Each(rows, func(row db.AnonymousAnswerGetRow) db.AnswerGetRow { return db.AnswerGetRow(row) }), err
		},
		delete: func(ctx context.Context, on db.DBTX) ([]int32, error) {
			return queries.AnonymousAnswerDelete(ctx, on, db.AnonymousAnswerDeleteParams(of))
		},
		isMigrated: func(ctx context.Context, on db.DBTX) (bool, error) {
			return queries.AnswerIsMigrated(ctx, on, db.AnswerIsMigratedParams(of))
		},
	}
}

// Replace stores another answer of a user about a URL instead of the earlier one, completely or not at all. An answer that says the
// same changes nothing, and so does a repetition. The votes, the queue and the history are right when it returns, and processes
// decide about the URL anew. Errors: those of Submit for an answer that cannot be stored, ErrNoAnswer and ErrValidated.
func (s *Service) Replace(ctx context.Context, userID, urlID int32, answer Answer) error {
	return s.change(ctx, userAuthor(userID, urlID), new(ofUser(userID, urlID, answer)))
}

// ReplaceAnonymous is Replace for an anonymous session; a further error is ErrMigrated.
func (s *Service) ReplaceAnonymous(ctx context.Context, session Session, urlID int32, answer Answer) error {
	return s.change(ctx, sessionAuthor(session, urlID), new(ofSession(session, urlID, answer)))
}

// TakeBack deletes the answer of a user about a URL, with a name that only this answer gave. Everything that depends on answers is
// then as if it had not been given, except the history. Without an answer nothing changes, so it may be repeated. Errors:
// *unknown.Error and ErrValidated.
func (s *Service) TakeBack(ctx context.Context, userID, urlID int32) error {
	return s.change(ctx, userAuthor(userID, urlID), nil)
}

// TakeBackAnonymous is TakeBack for an anonymous session; a further error is ErrMigrated.
func (s *Service) TakeBackAnonymous(ctx context.Context, session Session, urlID int32) error {
	return s.change(ctx, sessionAuthor(session, urlID), nil)
}

// change replaces the answer of an author, or takes it back if there is no replacement.
func (s *Service) change(ctx context.Context, by author, replacement *submission) error {
	if replacement != nil {
		if err := replacement.answer.check(); err != nil {
			return err
		}
	}
	changed := false
	err := postgres.Repeatable(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) error {
		ctx, end := phase.Start(ctx, phase.Submit)
		defer end()
		return conn.InTx(ctx, func(tx pgx.Tx) (err error) {
			changed, err = by.change(ctx, tx, replacement)
			if err != nil || !changed {
				return err
			}
			return s.trim(ctx, tx, []int32{by.event.URLID})
		})
	})
	if err != nil {
		return fmt.Errorf("change annotation of URL %d: %w", by.event.URLID, err)
	}
	if changed {
		s.onDue()
	}
	return nil
}

// change reports whether anything was changed. The order of the locks is described in sql/queries/answers.sql.
func (by author) change(ctx context.Context, tx pgx.Tx, replacement *submission) (changed bool, err error) {
	if err := by.lockAll(ctx, tx, replacement); err != nil {
		return false, err
	}
	before, err := by.get(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	if len(before) == 0 {
		return false, by.missing(ctx, tx, replacement)
	}
	if replacement != nil {
		repeated, err := replacement.isRepeated(ctx, tx)
		if err != nil || repeated {
			return false, err
		}
	}
	if before[0].Validated {
		return false, ErrValidated
	}

	names, err := by.delete(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("delete the answer: %w", err)
	}
	if replacement == nil {
		event := by.event
		event.Kind, event.Detail = history.TakenBack, history.TakeBack{Before: saidBefore(before[0])}
		err = history.Append(ctx, tx, []history.Event{event})
	} else {
		err = replacement.storeInstead(ctx, tx, saidBefore(before[0]))
	}
	if err != nil {
		return false, err
	}
	if len(names) > 0 {
		if err := queries.AnswerNameDeleteMany(ctx, tx, names); err != nil {
			return false, fmt.Errorf("delete names: %w", err)
		}
	}
	urlIDs := []int32{by.event.URLID}
	if err := consensus.AddDue(ctx, tx, urlIDs); err != nil { // without a vote, another value may have enough more than the others
		return false, err
	}
	return true, ranking.Recount(ctx, tx, urlIDs)
}

// lockAll locks everything that a change needs, in the order in which others do.
func (by author) lockAll(ctx context.Context, tx pgx.Tx, replacement *submission) error {
	urlID := by.event.URLID
	if err := by.lock(ctx, tx); err != nil {
		return fmt.Errorf("lock the annotator: %w", err)
	}
	known, err := queries.AnswerURLLock(ctx, tx, urlID)
	switch {
	case err != nil:
		return fmt.Errorf("lock the URL: %w", err)
	case known == 0:
		return unknown.New(unknown.URL, urlID)
	}
	if err := queries.AnswerNameLockMany(ctx, tx, urlID); err != nil {
		return fmt.Errorf("lock names: %w", err)
	}
	if replacement != nil && replacement.answer.NewName != nil && replacement.answer.ExistingNameID == nil {
		name := db.AnswerNameUpsertParams{URLID: urlID, NewName: *replacement.answer.NewName}
		if err := queries.AnswerNameUpsert(ctx, tx, name); err != nil {
			return fmt.Errorf("lock the new name: %w", err)
		}
	}
	return ranking.Lock(ctx, tx, []int32{urlID})
}

// missing returns the error for an author who has no answer. There is nothing wrong about taking back what has been taken back.
func (by author) missing(ctx context.Context, tx pgx.Tx, replacement *submission) error {
	migrated, err := by.isMigrated(ctx, tx)
	switch {
	case err != nil:
		return fmt.Errorf("look for a migrated answer: %w", err)
	case migrated:
		return ErrMigrated
	case replacement != nil:
		return ErrNoAnswer
	default:
		return nil
	}
}

// storeInstead stores an answer whose annotator has none any more, and the row of whose URL in the queue is locked.
func (a submission) storeInstead(ctx context.Context, tx pgx.Tx, before *history.Answer) error {
	row, err := a.insert(ctx, tx, event{kind: history.Changed, before: before})
	switch {
	case err != nil:
		return fmt.Errorf("store the answer: %w", err)
	case !row.Stored:
		return a.refusal(row)
	default:
		return nil
	}
}

func saidBefore(row db.AnswerGetRow) *history.Answer {
	return &history.Answer{
		URLType: string(row.URLType), RecordType: row.RecordType, Name: row.Name,
		AgencyIDs: row.AgencyIDs, AgencyNotFound: row.AgencyNotFound,
		LocationIDs: row.LocationIDs, LocationNotFound: row.LocationNotFound,
	}
}
