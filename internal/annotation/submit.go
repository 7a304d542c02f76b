package annotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/idempotency"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// refusals are the constraints that an answer can violate. A unique key means that the same annotator has answered before,
// even if in a concurrent request. A foreign key means that a row was deleted after the statement had read it.
var refusals = []postgres.Rule{
	postgres.On("annotation__url_type__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__record_type__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__location__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__agency__user_agency_id_url_id_user_id_key", ErrAlreadyAnnotated),
	postgres.On("link_user_suggestion_agency_not_found_pkey", ErrAlreadyAnnotated),
	postgres.On("link_user_suggestion_location_not_found_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__url_type__anon_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__record_type__anon_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__location__anon_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__agency__anon_pkey", ErrAlreadyAnnotated),

	postgres.On("url_reservations_url_id_slot_key", errSlotTaken),
	postgres.OnNull("url_history", "event", errUnreserved),

	postgres.On("annotation__url_type__user_url_id_fkey", &unknown.Error{Kind: unknown.URL}),
	postgres.On("annotation__url_type__anon_url_id_fkey", &unknown.Error{Kind: unknown.URL}),
	postgres.On("annotation__agency__user_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__agency__anon_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__location__user_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("annotation__location__anon_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("annotation__name__user__endorsements_suggestion_id_fkey", &unknown.Error{Kind: unknown.NameSuggestion}),
	postgres.On("annotation__name__anon__endorsements_suggestion_id_fkey", &unknown.Error{Kind: unknown.NameSuggestion}),
}

// Submit stores a user's answer about a URL completely or not at all. When it returns nil, the answer is committed. The URL
// need not be eligible. An answer that says what the user has said about the URL already, by an answer, a submission or a
// transferred session, is not stored again, which is no error. Errors: FieldErrors and *RuleError for an answer that contradicts
// itself, *unknown.Error, and ErrAlreadyAnnotated for a different answer.
func (s *Service) Submit(ctx context.Context, userID, urlID int32, answer Answer) error {
	return s.submit(ctx, ofUser(userID, urlID, answer))
}

// SubmitThenNext is Submit, and then Next on the same connection, with suggestions or without as the answer says.
func (s *Service) SubmitThenNext(ctx context.Context, userID, urlID int32, answer Answer, filter Filter) (Submitted, error) {
	return s.submitThenNext(ctx, ofUser(userID, urlID, answer),
		asking{by: User(userID), filter: filter, hidden: answer.SuggestionsHidden})
}

// SubmitAnonymous is Submit for an anonymous session. The first answer stores the session as well. The not-found flags are
// ignored. What the session said about a URL before a transfer counts as said by it.
func (s *Service) SubmitAnonymous(ctx context.Context, session Session, urlID int32, answer Answer) error {
	return s.submit(ctx, ofSession(session, urlID, answer))
}

// SubmitAnonymousThenNext is SubmitAnonymous, and then NextAnonymous on the same connection.
func (s *Service) SubmitAnonymousThenNext(ctx context.Context, session Session, urlID int32, answer Answer) (Submitted, error) {
	return s.submitThenNext(ctx, ofSession(session, urlID, answer), asking{by: Anonymous(session), hidden: answer.SuggestionsHidden})
}

// Submitted is the result of an answer that is committed.
type Submitted struct {
	Offer   Offer // zero when the choice failed
	NextErr error // why the choice failed; it may be a *PanicError
}

// submission is an answer, and the statements that store it.
type submission struct {
	urlID      int32
	answer     Answer
	insert     func(context.Context, conn, event) (db.AnnotationInsertRow, error)
	isRepeated func(context.Context, conn) (bool, error)
}

// event is what an answer is in the history of its URL.
type event struct {
	kind         history.Kind
	before       *history.Answer // what it replaces
	onlyReserved bool            // store nothing if the annotator has not reserved the URL
}

// conn is a connection or a transaction.
type conn interface {
	db.DBTX
	postgres.Batcher
}

func ofUser(userID, urlID int32, answer Answer) submission {
	said := db.AnnotationIsRepeatedParams{
		URLID:            urlID,
		UserID:           userID,
		URLType:          db.URLType(answer.URLType),
		RecordType:       (*db.RecordType)(answer.RecordType),
		AgencyIDs:        answer.AgencyIDs,
		AgencyNotFound:   answer.AgencyNotFound && answer.URLType != NotRelevant,
		LocationIDs:      answer.LocationIDs,
		LocationNotFound: answer.LocationNotFound && answer.URLType != NotRelevant,
		NewName:          answer.NewName,
		ExistingNameID:   answer.ExistingNameID,
	}
	return submission{urlID, answer, func(ctx context.Context, on conn, event event) (db.AnnotationInsertRow, error) {
		return queries.AnnotationInsert(ctx, on, db.AnnotationInsertParams{
			URLID: said.URLID, UserID: said.UserID, URLType: said.URLType, RecordType: said.RecordType,
			AgencyIDs: said.AgencyIDs, AgencyNotFound: said.AgencyNotFound,
			LocationIDs: said.LocationIDs, LocationNotFound: said.LocationNotFound,
			NewName: said.NewName, ExistingNameID: said.ExistingNameID,
			SuggestionsHidden: answer.SuggestionsHidden, Event: db.URLEvent(event.kind), Detail: answer.detail(event.before),
			OnlyReserved: event.onlyReserved,
		})
	}, func(ctx context.Context, on conn) (bool, error) {
		return queries.AnnotationIsRepeated(ctx, on, said)
	}}
}

func ofSession(session Session, urlID int32, answer Answer) submission {
	stored := answer
	stored.AgencyNotFound, stored.LocationNotFound = false, false
	said := db.AnonymousAnnotationIsRepeatedParams{
		URLID:          urlID,
		SessionID:      session,
		URLType:        db.URLType(answer.URLType),
		RecordType:     (*db.RecordType)(answer.RecordType),
		AgencyIDs:      answer.AgencyIDs,
		LocationIDs:    answer.LocationIDs,
		NewName:        answer.NewName,
		ExistingNameID: answer.ExistingNameID,
	}
	return submission{urlID, answer, func(ctx context.Context, on conn, event event) (db.AnnotationInsertRow, error) {
		// The key of annotation__url_type__anon includes the type, so it allows a second type. Without this lock, two concurrent
		// requests would both find no earlier answer.
		oneByOne := postgres.WithLock(on, sessionLock(session, urlID))
		row, err := queries.AnonymousAnnotationInsert(ctx, oneByOne, db.AnonymousAnnotationInsertParams{
			URLID: said.URLID, SessionID: said.SessionID, URLType: said.URLType, RecordType: said.RecordType,
			AgencyIDs: said.AgencyIDs, LocationIDs: said.LocationIDs, NewName: said.NewName, ExistingNameID: said.ExistingNameID,
			SuggestionsHidden: answer.SuggestionsHidden, Event: db.URLEvent(event.kind), Detail: stored.detail(event.before),
			OnlyReserved: event.onlyReserved, AddressHash: answer.Origin.Hash(urlID),
		})
		return db.AnnotationInsertRow(row), err
	}, func(ctx context.Context, on conn) (bool, error) {
		return queries.AnonymousAnnotationIsRepeated(ctx, on, said)
	}}
}

// sessionLock is the key of the lock under which a session answers a URL.
func sessionLock(session Session, urlID int32) string {
	return fmt.Sprintf("anonymous annotation %s %d", session, urlID)
}

func (s *Service) submit(ctx context.Context, answer submission) error {
	_, err := s.store(ctx, s.pool, answer)
	return err
}

// submitThenNext keeps its connection: an answer that is stored need not wait for another one, for which the time may not suffice.
func (s *Service) submitThenNext(ctx context.Context, answer submission, ask asking) (Submitted, error) {
	pool := s.pool.Keep()
	defer pool.LetGo()
	stored, err := s.store(ctx, pool, answer)
	if err != nil {
		return Submitted{}, err
	}
	if !stored.reservedElsewhere {
		ask.unreserved = true
		s.holders.remove(ask.by)
	}
	offer, err := s.nextAfterCommit(ctx, pool, ask)
	return Submitted{Offer: offer, NextErr: err}, nil
}

// store stores an answer: by a single statement, or in a transaction together with its Idempotency-Key, or with the end of
// reservations beyond what the URL needs then.
func (s *Service) store(ctx context.Context, pool *postgres.Pool, answer submission) (result stored, err error) {
	if err := answer.answer.check(); err != nil {
		return stored{}, err
	}
	if idempotency.FromContext(ctx) == nil {
		result, err = s.storeAlone(ctx, pool, answer)
	} else {
		result, err = s.storeWithKey(ctx, pool, answer)
	}
	if err != nil {
		return stored{}, fmt.Errorf("store annotation of URL %d: %w", answer.urlID, err)
	}
	if result.due {
		s.onDue()
	}
	if result.stillReserved && s.reserve.For > 0 {
		// The answer is stored, so the client may have left. After an error the URL is offered again when the others' reservations end.
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), chooseTimeout)
		defer cancel()
		if _, err := s.offerAgain(settling, pool, answer.urlID); err != nil {
			s.report(err)
		}
	}
	return result, nil
}

// storeAlone stores the answer again if the connection breaks: an answer that was stored is then a repetition. The answer of an
// annotator who has reserved the URL ends one reservation and lowers the need by one at most, so a single statement suffices.
func (s *Service) storeAlone(ctx context.Context, pool *postgres.Pool, answer submission) (result stored, err error) {
	err = postgres.Repeatable(ctx, pool, func(ctx context.Context, conn *postgres.Conn) (err error) {
		ctx, end := phase.Start(ctx, phase.Submit)
		defer end()
		result, err = answer.store(ctx, conn, s.trims())
		if !errors.Is(err, errUnreserved) {
			return err
		}
		return againIfAnnotated(func() error {
			return conn.InTx(ctx, func(tx pgx.Tx) (err error) {
				result, err = s.storeAndTrim(ctx, tx, answer)
				return err
			})
		})
	})
	return result, err
}

func (s *Service) storeWithKey(ctx context.Context, pool *postgres.Pool, answer submission) (result stored, err error) {
	ctx, end := phase.Start(ctx, phase.Submit)
	defer end()
	err = againIfAnnotated(func() error {
		return idempotency.OnceDo(ctx, pool, func(tx pgx.Tx) (err error) {
			result, err = s.storeAndTrim(ctx, tx, answer)
			return err
		})
	})
	return result, err
}

// againIfAnnotated repeats a transaction that stores an answer, for the reason that submission.store gives.
func againIfAnnotated(once func() error) error {
	err := once()
	if errors.Is(err, ErrAlreadyAnnotated) {
		err = once()
	}
	return err
}

// storeAndTrim leaves at most as many reservations of the URL as it needs answers after this one.
func (s *Service) storeAndTrim(ctx context.Context, tx pgx.Tx, answer submission) (stored, error) {
	result, err := answer.store(ctx, tx, false)
	if err != nil {
		return stored{}, err
	}
	return result, s.trim(ctx, tx, []int32{answer.urlID})
}

// stored is what is known after an answer was stored.
type stored struct {
	due               bool // the votes about the URL may make a fact now, and the URL was added to consensus_due
	reservedElsewhere bool // the annotator may have reserved another URL
	stillReserved     bool // the URL may be full by its row of the queue, because others still have it
}

// errUnreserved means that nothing was stored, because the annotator has not reserved the URL.
var errUnreserved = errors.New("the annotator has not reserved the URL")

// store is a single statement, unless the annotator has annotated the URL before. Then isRepeated decides whether that is an error.
// It is a statement of its own, so that it sees an answer that insert has waited for.
//
// In a transaction, ErrAlreadyAnnotated may also mean that the same answer was stored while insert waited for it: the violation of
// a unique key has ended the transaction. Repeated in a new one, store knows.
func (a submission) store(ctx context.Context, on conn, onlyReserved bool) (stored, error) {
	row, err := a.insert(ctx, on, event{kind: history.Answered, onlyReserved: onlyReserved})
	switch {
	case errors.Is(err, ErrAlreadyAnnotated):
	case err != nil:
		return stored{}, err
	case row.Stored:
		return stored{row.Due, row.ReservedElsewhere, row.StillReserved}, nil
	case row.Late && row.URLKnown && !row.AnnotatedBefore:
		return stored{}, errUnreserved
	default:
		if err = a.refusal(row); !errors.Is(err, ErrAlreadyAnnotated) {
			return stored{}, err
		}
	}

	switch repeated, failure := a.isRepeated(ctx, on); {
	case failure != nil:
		return stored{}, fmt.Errorf("compare with an earlier one: %w", failure)
	case repeated:
		return stored{reservedElsewhere: true, stillReserved: true}, nil
	default:
		return stored{}, err
	}
}

// refusal returns why the statement has stored nothing.
func (a submission) refusal(row db.AnnotationInsertRow) error {
	switch {
	case !row.URLKnown:
		return unknown.New(unknown.URL, a.urlID)
	case len(row.UnknownAgencyIDs) > 0:
		return unknown.New(unknown.Agency, row.UnknownAgencyIDs...)
	case len(row.UnknownLocationIDs) > 0:
		return unknown.New(unknown.Location, row.UnknownLocationIDs...)
	case row.NameUnknown:
		return unknown.New(unknown.NameSuggestion, *a.answer.ExistingNameID)
	default:
		return ErrAlreadyAnnotated
	}
}
