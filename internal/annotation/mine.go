package annotation

import (
	"context"
	"fmt"
	"time"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/page"
	"docket/internal/urlform"
)

// GivenAnswer is an answer as its annotator may list, change and take it back.
type GivenAnswer struct {
	URLID     int32
	URL       string
	At        time.Time // when it was given, or changed for the last time
	Validated bool      // whether the URL is validated, so that the answer cannot be changed
	Answer    Answer    // the name is NewName, also if another annotator gave it first
}

// Position is that of an answer in the list of an annotator's answers.
type Position struct {
	At    time.Time
	URLID int32
}

// start is before all answers in a list.
var start = Position{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// Given returns a page of the answers of a user, the latest first, after a position, nil for the beginning. The second result is
// where the next page begins, nil at the end. With a URL the list is the answer about it, or empty.
func (s *Service) Given(ctx context.Context, userID int32, urlID *int32, after *Position) ([]GivenAnswer, *Position, error) {
	return list(urlID, after, func(urlID int32) ([]db.AnswerGetRow, error) {
		return queries.AnswerGet(ctx, s.pool, db.AnswerGetParams{UserID: userID, URLID: urlID})
	}, func(after Position) ([]db.AnswerListRow, error) {
		return queries.AnswerList(ctx, s.pool,
			db.AnswerListParams{UserID: userID, BeforeTime: after.At, BeforeURLID: after.URLID})
	})
}

// GivenAnonymous is Given for an anonymous session. What the session has migrated to a user is the user's.
func (s *Service) GivenAnonymous(
	ctx context.Context, session Session, urlID *int32, after *Position,
) ([]GivenAnswer, *Position, error) {
	return list(urlID, after, func(urlID int32) ([]db.AnonymousAnswerGetRow, error) {
		return queries.AnonymousAnswerGet(ctx, s.pool, db.AnonymousAnswerGetParams{SessionID: session, URLID: urlID})
	}, func(after Position) ([]db.AnonymousAnswerListRow, error) {
		return queries.AnonymousAnswerList(ctx, s.pool,
			db.AnonymousAnswerListParams{SessionID: session, BeforeTime: after.At, BeforeURLID: after.URLID})
	})
}

type answerRow interface {
	db.AnswerGetRow | db.AnswerListRow | db.AnonymousAnswerGetRow | db.AnonymousAnswerListRow
}

func list[One, Page answerRow](
	urlID *int32, after *Position, get func(int32) ([]One, error), read func(Position) ([]Page, error),
) ([]GivenAnswer, *Position, error) {
	if urlID != nil {
		rows, err := get(*urlID)
		if err != nil {
			return nil, nil, fmt.Errorf("read the answer about URL %d: %w", *urlID, err)
		}
		return convert.Each(rows, func(row One) GivenAnswer { return givenFrom(db.AnswerGetRow(row)) }), nil, nil
	}
	if after == nil {
		after = &start
	}
	rows, err := read(*after)
	if err != nil {
		return nil, nil, fmt.Errorf("list answers: %w", err)
	}
	answers := convert.Each(rows, func(row Page) GivenAnswer { return givenFrom(db.AnswerGetRow(row)) })
	if len(answers) < page.Size {
		return answers, nil, nil
	}
	last := answers[len(answers)-1]
	return answers, &Position{last.At, last.URLID}, nil
}

func givenFrom(row db.AnswerGetRow) GivenAnswer {
	answer := Answer{
		URLType:   URLType(row.URLType),
		AgencyIDs: row.AgencyIDs, AgencyNotFound: row.AgencyNotFound,
		LocationIDs: row.LocationIDs, LocationNotFound: row.LocationNotFound,
	}
	if row.RecordType != "" {
		answer.RecordType = new(RecordType(row.RecordType))
	}
	if row.Name != "" {
		answer.NewName = &row.Name
	}
	return GivenAnswer{
		URLID: row.URLID, URL: urlform.Full(row.Scheme, row.URL, row.TrailingSlash), At: row.CreatedAt,
		Validated: row.Validated, Answer: answer,
	}
}
