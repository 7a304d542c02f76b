package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
)

// earlier has, for each key that an answer can violate, the row that makes everything(1) violate it. For the keys of the
// not-found flags the answer has the flag in place of the agency or the location.
var earlier = map[string]struct {
	row     string
	session bool
}{
	"annotation__url_type__user_pkey": {
		row: `INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 7, 'broken page')`},
	"annotation__record_type__user_pkey": {
		row: `INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES (1, 7, 'Other')`},
	"annotation__location__user_pkey": {
		row: `INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (1, 7, 1)`},
	"annotation__agency__user_agency_id_url_id_user_id_key": {
		row: `INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (1, 7, 1)`},
	"link_user_suggestion_agency_not_found_pkey": {
		row: `INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id) VALUES (1, 7)`},
	"link_user_suggestion_location_not_found_pkey": {
		row: `INSERT INTO link_user_suggestion_location_not_found (url_id, user_id) VALUES (1, 7)`},
	"annotation__url_type__anon_pkey": {session: true,
		row: `INSERT INTO annotation__url_type__anon (url_id, url_type, session_id) SELECT 1, 'data source', id
			FROM anonymous_sessions`},
	"annotation__record_type__anon_pkey": {session: true,
		row: `INSERT INTO annotation__record_type__anon (url_id, record_type, session_id) SELECT 1, 'Stops', id
			FROM anonymous_sessions`},
	"annotation__location__anon_pkey": {session: true,
		row: `INSERT INTO annotation__location__anon (url_id, location_id, session_id) SELECT 1, 1, id FROM anonymous_sessions`},
	"annotation__agency__anon_pkey": {session: true,
		row: `INSERT INTO annotation__agency__anon (url_id, agency_id, session_id) SELECT 1, 1, id FROM anonymous_sessions`},
}

// TestAnnotatedEarlier checks that an annotation which another program stored makes the answer of its annotator fail, and that
// nothing of the answer is stored. The other program commits before the answer, or while the answer waits for it.
func TestAnnotatedEarlier(t *testing.T) {
	t.Parallel()
	for constraint, tt := range earlier {
		for _, concurrent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, concurrent %t", constraint, concurrent), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				session := b.storedSession(t)
				answer := everything(1)
				if constraint == "link_user_suggestion_agency_not_found_pkey" {
					answer.AgencyNotFound, answer.AgencyIDs = true, nil
				}
				if constraint == "link_user_suggestion_location_not_found_pkey" {
					answer.LocationNotFound, answer.LocationIDs = true, nil
				}
				tx := b.begin(t, tt.row)
				if !concurrent {
					require.NoError(t, tx.Commit(t.Context()))
				}
				submitted := make(chan error, 1)
				go func() {
					if tt.session {
						submitted <- b.service.SubmitAnonymous(context.Background(), session, 1, answer)
					} else {
						submitted <- b.service.Submit(context.Background(), 7, 1, answer)
					}
				}()
				if concurrent {
					b.waitForLock(t, submitted)
					require.NoError(t, tx.Commit(t.Context()))
				}
				err := <-submitted
				require.ErrorIs(t, err, annotation.ErrAlreadyAnnotated)
				if concurrent {
					cause, ok := errors.AsType[*pgconn.PgError](err)
					require.True(t, ok)
					require.Equal(t, constraint, cause.ConstraintName)
				}
				require.Equal(t, 1, b.annotations(t))
			})
		}
	}
}

// annotations counts the rows of all tables that an answer may write to.
func (b bundle) annotations(t *testing.T) int {
	t.Helper()
	return b.count(t, `SELECT count(*) FROM (
		SELECT FROM annotation__url_type__user UNION ALL SELECT FROM annotation__record_type__user
		UNION ALL SELECT FROM annotation__location__user UNION ALL SELECT FROM annotation__agency__user
		UNION ALL SELECT FROM link_user_suggestion_agency_not_found UNION ALL SELECT FROM link_user_suggestion_location_not_found
		UNION ALL SELECT FROM annotation__name__user__endorsements
		UNION ALL SELECT FROM annotation__url_type__anon UNION ALL SELECT FROM annotation__record_type__anon
		UNION ALL SELECT FROM annotation__location__anon UNION ALL SELECT FROM annotation__agency__anon
		UNION ALL SELECT FROM annotation__name__anon__endorsements) AS r`)
}

// TestRefusalsAreConstraints checks that every rule names a constraint that exists, and that each one which means an earlier
// annotation has a case above.
func TestRefusalsAreConstraints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows, err := b.pool.Query(t.Context(), `SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace`)
	require.NoError(t, err)
	constraints, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)

	for i, rule := range annotation.Refusals {
		if meaning := rule.Meaning(&pgconn.PgError{Code: "23502", TableName: "url_history", ColumnName: "event"}); meaning != nil {
			continue // TestAnswerAfterWaiting
		}
		var named []string
		for _, name := range constraints {
			violation := &pgconn.PgError{ConstraintName: name}
			meaning := rule.Meaning(violation)
			if meaning == nil {
				continue
			}
			named = append(named, name)
			_, tested := earlier[name]
			require.Equal(t, errors.Is(meaning, annotation.ErrAlreadyAnnotated), tested, name)
		}
		require.Len(t, named, 1, "rule %d of refusals names no constraint", i)
	}
}
