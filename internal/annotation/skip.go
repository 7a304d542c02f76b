package annotation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// Skip is why an annotator puts a URL off.
type Skip struct {
	Reason SkipReason
	Note   string // required for SkipOther; at most 500 characters; surrounding white space is removed; blank is none
}

// SkipReason is a value of the database type skip_reason.
type SkipReason string

const (
	SkipNotSure    SkipReason = "not sure"
	SkipNoLoad     SkipReason = "page does not load"
	SkipLanguage   SkipReason = "language"
	SkipNeedsLogin SkipReason = "needs sign-in"
	SkipOther      SkipReason = "other"
)

// maxNote is the length of the longest note, in characters, as in url_skips_note_check.
const maxNote = 500

// DefaultSkipFor is how long a skipped URL stays off its annotator's order, unless SkipFor says otherwise.
const DefaultSkipFor = 24 * time.Hour

// SkipFor sets how long a skipped URL comes after all others for its annotator. With 0 it does so until the annotator answers it.
func SkipFor(d time.Duration) Option { return func(s *Service) { s.skipFor = d } }

// Skip puts a URL off for a user: it comes after all others, or in its order again after the time of SkipFor. It is no vote. The
// URL need not be eligible, and may be skipped again, which replaces reason and note. Skip ends the user's reservation of the
// URL. Errors: FieldErrors, *unknown.Error, and ErrAlreadyAnnotated for a URL that the user has answered.
func (s *Service) Skip(ctx context.Context, userID, urlID int32, skip Skip) error {
	return s.skip(ctx, s.pool, s.skipOfUser(userID, urlID, skip))
}

// SkipThenNext is Skip, and then Next on the same connection.
func (s *Service) SkipThenNext(
	ctx context.Context, userID, urlID int32, skip Skip, filter Filter, how ...Showing,
) (Submitted, error) {
	return s.skipThenNext(ctx, s.skipOfUser(userID, urlID, skip), ask(User(userID), filter, how))
}

// SkipAnonymous is Skip for an anonymous session, which is stored with its first skip as with its first answer.
func (s *Service) SkipAnonymous(ctx context.Context, session Session, urlID int32, skip Skip) error {
	return s.skip(ctx, s.pool, s.skipOfSession(session, urlID, skip))
}

// SkipAnonymousThenNext is SkipAnonymous, and then NextAnonymous on the same connection.
func (s *Service) SkipAnonymousThenNext(
	ctx context.Context, session Session, urlID int32, skip Skip, how ...Showing,
) (Submitted, error) {
	return s.skipThenNext(ctx, s.skipOfSession(session, urlID, skip), ask(Anonymous(session), Filter{}, how))
}

// putOff is a skip, and the statement that stores it.
type putOff struct {
	urlID  int32
	skip   Skip
	upsert func(ctx context.Context, on db.DBTX, note *string) (db.SkipUpsertRow, error)
}

func (s *Service) skipOfUser(userID, urlID int32, skip Skip) putOff {
	return putOff{urlID, skip, func(ctx context.Context, on db.DBTX, note *string) (db.SkipUpsertRow, error) {
		return queries.SkipUpsert(ctx, on, db.SkipUpsertParams{
			URLID: urlID, UserID: userID, Reason: db.SkipReason(skip.Reason), Note: note, Seconds: s.skipFor.Seconds(),
		})
	}}
}

func (s *Service) skipOfSession(session Session, urlID int32, skip Skip) putOff {
	return putOff{urlID, skip, func(ctx context.Context, on db.DBTX, note *string) (db.SkipUpsertRow, error) {
		row, err := queries.AnonymousSkipUpsert(ctx, on, db.AnonymousSkipUpsertParams{
			URLID: urlID, SessionID: session, Reason: db.SkipReason(skip.Reason), Note: note, Seconds: s.skipFor.Seconds(),
		})
		return db.SkipUpsertRow(row), err
	}}
}

// skipThenNext keeps its connection, as submitThenNext does.
func (s *Service) skipThenNext(ctx context.Context, skip putOff, ask asking) (Submitted, error) {
	pool := s.pool.Keep()
	defer pool.LetGo()
	if err := s.skip(ctx, pool, skip); err != nil {
		return Submitted{}, err
	}
	s.holders.remove(ask.by)
	offer, err := s.nextAfterCommit(ctx, pool, ask)
	return Submitted{Offer: offer, NextErr: err}, nil
}

// skip stores a skip: by a single statement, which is repeated if the connection breaks, or, with an Idempotency-Key, in a
// transaction together with the key.
func (s *Service) skip(ctx context.Context, pool *postgres.Pool, skip putOff) (err error) {
	note := strings.TrimSpace(skip.skip.Note)
	if urlform.IsBlank(note) {
		note = ""
	}
	switch {
	case note == "" && skip.skip.Reason == SkipOther:
		return FieldErrors{{Field: "note", Text: "must say why if reason is other"}}
	case utf8.RuneCountInString(note) > maxNote:
		return FieldErrors{{Field: "note", Text: fmt.Sprintf("must have at most %d characters", maxNote)}}
	}
	store := func(ctx context.Context, on db.DBTX) error {
		var given *string
		if note != "" {
			given = &note
		}
		row, err := skip.upsert(ctx, on, given)
		switch {
		case err != nil:
			return err
		case !row.URLKnown:
			return unknown.New(unknown.URL, skip.urlID)
		case !row.Stored:
			return ErrAlreadyAnnotated
		default:
			return nil
		}
	}
	if idempotency.FromContext(ctx) == nil {
		err = postgres.Repeatable(ctx, pool, func(ctx context.Context, conn *postgres.Conn) error {
			ctx, end := phase.Start(ctx, phase.Submit)
			defer end()
			return store(ctx, conn)
		})
	} else {
		ctx, end := phase.Start(ctx, phase.Submit)
		defer end()
		err = idempotency.OnceDo(ctx, pool, func(tx pgx.Tx) error { return store(ctx, tx) })
	}
	if err != nil {
		return fmt.Errorf("skip URL %d: %w", skip.urlID, err)
	}
	return nil
}

// offerSkipped is for an annotator who has nothing else left: it offers the oldest of the URLs that the annotator has put off; nil
// means that there is none. With reservations, it claims the URL. Only if others have all of them reserved, it is shared.
func (s *Service) offerSkipped(ctx context.Context, conn *postgres.Conn, ask asking) (*Offer, error) {
	if ask.filter.URLID != nil || ask.filter.Skip > 0 {
		return nil, nil
	}
	ask.unreserved = false // a claim of the last URLs that are left waits for other transactions
	var last *Offer
	for range mostChoices {
		chosen, reserved, err := chooseSkipped(ctx, conn, ask.by, ask.filter.BatchID)
		switch {
		case err != nil:
			return nil, err
		case chosen == nil:
			return last, nil
		case s.reserve.For == 0:
			offer, _, err := s.described(ctx, conn, ask, chosen)
			offer.Reason = SkippedByYou
			return &offer, err
		case reserved && s.reserve.WhenAllReserved == Wait:
			return s.waitForSkipped(ctx, conn, ask)
		}
		offer, got, err := s.offerClaimed(ctx, conn, ask, chosen, reserved)
		offer.Reason = SkippedByYou
		if err != nil || got.granted {
			return &offer, err
		}
		last = &offer
	}
	return last, nil
}

// chooseSkipped returns one of the URLs that the annotator has put off: if there is one that is not reserved, of these, the one
// with the oldest skip. nil means that there is none.
func chooseSkipped(
	ctx context.Context, conn db.DBTX, by Annotator, batchID *int32,
) (chosen *ranking.Choice, reserved bool, err error) {
	ctx, end := phase.Start(ctx, phase.MainQuery)
	defer end()
	var row db.SkipNextGetRow
	if by.session != nil {
		var found db.AnonymousSkipNextGetRow
		found, err = queries.AnonymousSkipNextGet(ctx, conn, *by.session)
		row = db.SkipNextGetRow(found)
	} else {
		row, err = queries.SkipNextGet(ctx, conn, db.SkipNextGetParams{UserID: *by.userID, BatchID: batchID})
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("choose among skipped URLs: %w", err)
	}
	return &ranking.Choice{
		URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: row.ChangedXid,
	}, row.Reserved, nil
}

// waitForSkipped reports when the first reservation of the URLs ends that the annotator has put off.
func (s *Service) waitForSkipped(ctx context.Context, conn *postgres.Conn, ask asking) (*Offer, error) {
	ctx, end := phase.Start(ctx, phase.Reservation)
	defer end()
	seconds, err := queries.SkipFirstExpiry(ctx, conn, db.SkipFirstExpiryParams{
		UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID, Now: s.time(),
	})
	if err != nil {
		return nil, fmt.Errorf("look for the first reservation to end: %w", err)
	}
	return &Offer{Reason: AllReserved, RetryAfter: max(time.Duration(seconds*float64(time.Second)), 1)}, nil
}

// skipsAtOnce is how many skips are ended in one transaction. Answers about their URLs wait for it.
const skipsAtOnce = 500

// endSkips ends the skips whose time is over, in parts, and returns their number. It leaves out the URLs that other writers have
// locked, for the next call.
func endSkips(ctx context.Context, pool *postgres.Pool) (ended int, err error) {
	for {
		var part int
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			urlIDs, err := queries.SkipLockDueMany(ctx, tx, skipsAtOnce)
			if err != nil {
				return fmt.Errorf("lock URLs: %w", err)
			}
			part = 0
			if len(urlIDs) == 0 {
				return nil
			}
			n, err := queries.SkipEndMany(ctx, tx, urlIDs)
			part = int(n)
			return err
		})
		if err != nil {
			return ended, fmt.Errorf("end skips: %w", err)
		}
		ended += part
		if part < skipsAtOnce {
			return ended, nil
		}
	}
}
