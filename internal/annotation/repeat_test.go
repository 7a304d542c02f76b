package annotation_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// A number that every run of the tests can afford; -rapid.checks raises it.
func init() { _ = flag.Set("rapid.checks", "40") }

// annotators are the two kinds of annotators. Each call of the functions is an annotator who has said nothing.
var annotators = map[string]func(*annotation.Service) func(context.Context, int32, annotation.Answer) error{
	"user": func(s *annotation.Service) func(context.Context, int32, annotation.Answer) error {
		user := users.Add(1)
		return func(ctx context.Context, url int32, answer annotation.Answer) error {
			return s.Submit(ctx, user, url, answer)
		}
	},
	"session": func(s *annotation.Service) func(context.Context, int32, annotation.Answer) error {
		session := uuid.New()
		return func(ctx context.Context, url int32, answer annotation.Answer) error {
			return s.SubmitAnonymous(ctx, session, url, answer)
		}
	},
}

var users atomic.Int32

// content prints every row of the tables that an answer writes to, and the queue, without what every transaction changes.
func (b bundle) content(t testing.TB) (all []string) {
	t.Helper()
	for _, table := range []string{
		"annotation__url_type__user", "annotation__record_type__user", "annotation__agency__user", "annotation__location__user",
		"annotation__name__suggestions", "annotation__name__user__endorsements",
		"link_user_suggestion_agency_not_found", "link_user_suggestion_location_not_found",
		"annotation__url_type__anon", "annotation__record_type__anon", "annotation__agency__anon", "annotation__location__anon",
		"annotation__name__anon__endorsements", "anonymous_sessions", "annotation_queue", "user_url_done", "anonymous_url_done",
	} {
		all = append(all, dbtest.List(t, b.pool, "SELECT '"+table+" ' || to_jsonb(r)::text FROM "+table+" r ORDER BY 1")...)
	}
	return all
}

// TestRepeatedAnswer changes one thing at a time of a stored answer. The same answer succeeds, however it is written; any other is
// refused. Neither writes anything, not even the revision of the URL.
func TestRepeatedAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*annotation.Answer)
		same   bool
	}{
		"nothing":                    {change: func(*annotation.Answer) {}, same: true},
		"order of agencies":          {change: func(a *annotation.Answer) { slices.Reverse(a.AgencyIDs) }, same: true},
		"order of locations":         {change: func(a *annotation.Answer) { slices.Reverse(a.LocationIDs) }, same: true},
		"name by its id":             {change: func(a *annotation.Answer) { a.NewName, a.ExistingNameID = nil, new(int32(1)) }, same: true},
		"id before another new name": {change: func(a *annotation.Answer) { a.NewName, a.ExistingNameID = new("x"), new(int32(1)) }, same: true},
		"URL type":                   {change: func(a *annotation.Answer) { a.URLType = annotation.BrokenPage }},
		"record type":                {change: func(a *annotation.Answer) { a.RecordType = new(annotation.RecordType("Other")) }},
		"no record type":             {change: func(a *annotation.Answer) { a.RecordType = nil }},
		"one agency less":            {change: func(a *annotation.Answer) { a.AgencyIDs = a.AgencyIDs[:1] }},
		"another agency":             {change: func(a *annotation.Answer) { a.AgencyIDs = []int32{1, 3} }},
		"no agency":                  {change: func(a *annotation.Answer) { a.AgencyIDs = nil }},
		"one location less":          {change: func(a *annotation.Answer) { a.LocationIDs = a.LocationIDs[1:] }},
		"no location":                {change: func(a *annotation.Answer) { a.LocationIDs = nil }},
		"another new name":           {change: func(a *annotation.Answer) { a.NewName = new("one") }},
		"another existing name":      {change: func(a *annotation.Answer) { a.ExistingNameID = new(int32(2)) }},
		"empty name":                 {change: func(a *annotation.Answer) { a.NewName = new("") }},
		"no name":                    {change: func(a *annotation.Answer) { a.NewName = nil }},
	}
	for kind, annotator := range annotators {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, `INSERT INTO agencies (id, name, jurisdiction_type) VALUES (3, 'C', 'local');
				INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (1, 'Another')`)
			answer := func() annotation.Answer {
				return annotation.Answer{
					URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")),
					AgencyIDs: []int32{1, 2}, LocationIDs: []int64{1, 2}, NewName: new("One"),
				}
			}
			submit := annotator(b.service)
			require.NoError(t, submit(t.Context(), 1, answer()))
			stored := b.content(t)
			for name, test := range tests {
				changed := answer()
				test.change(&changed)
				err := submit(t.Context(), 1, changed)
				if test.same {
					require.NoError(t, err, name)
				} else {
					require.ErrorIs(t, err, annotation.ErrAlreadyAnnotated, name)
				}
				require.Equal(t, stored, b.content(t), name)
			}
		})
	}
}

// said is what an answer says, in a form that can be compared. The not-found flags of sessions are ignored.
func said(answer annotation.Answer, session bool, names map[int32]string) string {
	marks := [2]bool{answer.AgencyNotFound, answer.LocationNotFound}
	if session || answer.URLType == annotation.NotRelevant {
		marks = [2]bool{}
	}
	name := "none"
	switch {
	case answer.ExistingNameID != nil:
		name = "name " + names[*answer.ExistingNameID]
	case answer.NewName != nil:
		name = "name " + *answer.NewName
	}
	recordType := annotation.RecordType("none")
	if answer.RecordType != nil {
		recordType = *answer.RecordType
	}
	return fmt.Sprint(answer.URLType, recordType, slices.Sorted(slices.Values(answer.AgencyIDs)),
		slices.Sorted(slices.Values(answer.LocationIDs)), name, marks)
}

func drawAnswer(t *rapid.T) (answer annotation.Answer) {
	answer.URLType = rapid.SampledFrom([]annotation.URLType{annotation.DataSource, annotation.NotRelevant}).Draw(t, "type")
	answer.NewName = rapid.SampledFrom([]*string{nil, nil, new("One"), new("New"), new("")}).Draw(t, "new name")
	answer.ExistingNameID = rapid.SampledFrom([]*int32{nil, nil, new(int32(1)), new(int32(2))}).Draw(t, "existing name")
	relevant := answer.URLType != annotation.NotRelevant
	if relevant && rapid.Bool().Draw(t, "record type") {
		answer.RecordType = new(annotation.RecordType("Stops"))
	}
	if relevant {
		answer.AgencyIDs = rapid.SliceOfNDistinct(rapid.Int32Range(1, 2), 0, 2, rapid.ID).Draw(t, "agencies")
		answer.LocationIDs = rapid.SliceOfNDistinct(rapid.Int64Range(1, 2), 0, 2, rapid.ID).Draw(t, "locations")
	}
	answer.AgencyNotFound = len(answer.AgencyIDs) == 0 && rapid.Bool().Draw(t, "agency not found")
	answer.LocationNotFound = len(answer.LocationIDs) == 0 && rapid.Bool().Draw(t, "location not found")
	return answer
}

// TestTwoAnswersProperty sends two random answers of one annotator, one after the other or concurrently: the second succeeds
// exactly if it says the same as the first, and the rows are those of one answer.
func TestTwoAnswersProperty(t *testing.T) {
	t.Parallel()
	for kind, annotator := range annotators {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, "INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (1, 'Another')")
			names := map[int32]string{1: "One", 2: "Another"}
			rapid.Check(t, func(rt *rapid.T) {
				first, second := drawAnswer(rt), drawAnswer(rt)
				if rapid.Bool().Draw(rt, "the same") {
					second = first
				}
				submit := annotator(b.service)
				one := func() error { return submit(t.Context(), 1, first) }
				two := func() error { return submit(t.Context(), 1, second) }
				var errs []error
				if rapid.Bool().Draw(rt, "concurrently") {
					errs = race(one, two)
				} else {
					errs = []error{one(), two()}
				}
				accepted := 0
				for _, err := range errs {
					if err == nil {
						accepted++
					} else if !errors.Is(err, annotation.ErrAlreadyAnnotated) {
						rt.Fatal(err)
					}
				}
				want := 1
				if said(first, kind == "session", names) == said(second, kind == "session", names) {
					want = 2
				}
				if accepted != want {
					rt.Fatalf("%d of the answers were accepted, not %d: %v", accepted, want, errs)
				}
			})
			b.requireExactQueue(t)
		})
	}
}

// TestRepeatedWhileStored sends the same and a different answer while the first is being stored: both wait for it.
func TestRepeatedWhileStored(t *testing.T) {
	t.Parallel()
	for kind, annotator := range annotators {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			submit := annotator(b.service)
			held := b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
			stored, repeated, different := make(chan error, 1), make(chan error, 1), make(chan error, 1)
			go func() { stored <- submit(context.Background(), 1, everything(1)) }()
			b.waitForLocks(t, 1)
			go func() { repeated <- submit(context.Background(), 1, everything(1)) }()
			b.waitForLocks(t, 2)
			go func() { different <- submit(context.Background(), 1, otherAnswer()) }()
			b.waitForLocks(t, 3)
			require.NoError(t, held.Rollback(t.Context()))
			require.NoError(t, <-stored)
			require.NoError(t, <-repeated)
			require.ErrorIs(t, <-different, annotation.ErrAlreadyAnnotated)
			require.Equal(t, 5, b.annotations(t))
			b.requireExactQueue(t)
		})
	}
}

// severed is a connection that breaks after its next statement has ended, before the client learns how.
type severed struct {
	net.Conn
	armed *atomic.Bool
}

func (c severed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.armed.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// TestUnknownOutcome breaks the connection to the database after an answer was committed, before Docket learns that. Docket finds
// out by itself. The client does not know that, and may send the answer again.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	for kind, annotator := range annotators {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var armed atomic.Bool
			config := b.pool.Config()
			config.MaxConns = 1
			dial := config.ConnConfig.DialFunc
			config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				return severed{conn, &armed}, err
			}
			pool, err := postgres.NewPool(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			service := annotation.New(pool, ranking.NewQueue())
			require.NoError(t, annotator(service)(t.Context(), 1, everything(1)), "so that the statement is prepared")
			before := b.annotations(t)

			submit := annotator(service)
			armed.Store(true)
			require.NoError(t, submit(t.Context(), 1, everything(1)))
			require.False(t, armed.Load())
			require.Equal(t, before+5, b.annotations(t), "the answer was committed")
			require.NoError(t, submit(t.Context(), 1, everything(1)))
			require.ErrorIs(t, submit(t.Context(), 1, otherAnswer()), annotation.ErrAlreadyAnnotated)
			require.Equal(t, before+5, b.annotations(t))
			b.requireExactQueue(t)
		})
	}
}
