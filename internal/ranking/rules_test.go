package ranking_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// The tests of this file compare the views of 72_rules.sql with what is written here. All other definitions, and the slow
// definition of the other tests, read the views.

func TestEligibleURLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	w.exec(t, collected, ids(2))
	w.exec(t, validate, ids(3))
	w.exec(t, suspend, ids(4))
	w.exec(t, validate, ids(5))
	w.exec(t, suspend, ids(5))
	w.exec(t, robots, ids(6))
	w.exec(t, says(7), ids(6))
	w.exec(t, "INSERT INTO url_web_metadata (url_id, accessed, status_code) VALUES (7, true, 404)")
	w.exec(t, "INSERT INTO url_former_status (url_id, status) VALUES (7, 'broken')")
	require.Equal(t, []string{"1 true", "2 false", "6 true", "7 true"},
		dbtest.List(t, w.pool, "SELECT url_id || ' ' || manual FROM eligible_urls ORDER BY url_id"))
	require.Equal(t, []string{"1 true true", "2 true false", "3 false true", "4 false true", "5 false true", "6 true true", "7 true true"},
		dbtest.List(t, w.pool, "SELECT url_id || ' ' || eligible || ' ' || manual FROM url_eligibility ORDER BY url_id"))
}

func TestAnnotationViews(t *testing.T) {
	t.Parallel()
	const (
		byRobot     = "robot"
		byUser      = "user"
		byAnonymous = "session"
	)
	tests := []struct {
		row  string // of URL ID; user 7 or the session
		kind string // empty: does not count
		by   string // empty: not an annotation
	}{
		{`INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
			VALUES (1, ID, 'homepage_match', false)`, "auto_agency", byRobot},
		{`INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
			VALUES (1, ID, 'batch_link', false)`, "auto_location", byRobot},
		{`INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (ID, 'Stops')`, "auto_record_type", byRobot},
		{`INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (ID, false)`, "auto_url_type", byRobot},
		{`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (ID, 7, 1)`, "user_agency", byUser},
		{`INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (ID, 7, 1)`, "user_location", byUser},
		{`INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			VALUES (ID, 7, 'Stops')`, "user_record_type", byUser},
		{`INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (ID, 7, 'meta url')`, "user_url_type", byUser},
		{`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT ID, id, 1
			FROM anonymous_sessions`, "anon_agency", byAnonymous},
		{`INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT ID, id, 1
			FROM anonymous_sessions`, "anon_location", byAnonymous},
		{`INSERT INTO annotation__record_type__anon (url_id, session_id, record_type) SELECT ID, id, 'Stops'
			FROM anonymous_sessions`, "anon_record_type", byAnonymous},
		{`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT ID, id, 'meta url'
			FROM anonymous_sessions`, "anon_url_type", byAnonymous},
		{`INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
			SELECT id, ID, '{}', '{}', '{}', '{}', '{}' FROM anonymous_sessions`, "", byAnonymous},
		{`WITH n AS (INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (ID, 'Name') RETURNING id)
			INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
			SELECT s.id, n.id FROM n, anonymous_sessions s`, "", ""},
		{`WITH n AS (INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (ID, 'Name') RETURNING id)
			INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 7, id FROM n`, "", ""},
		{`INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id) VALUES (7, ID)`, "", ""},
		{`INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) VALUES (7, ID)`, "", ""},
		{`INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (ID, 1)`, "", ""},
	}
	w := newWorld(t, len(tests))
	session := w.session(t)
	var counted, byUsers, bySessions []string
	for i, test := range tests {
		id := fmt.Sprint(i + 1)
		w.exec(t, strings.ReplaceAll(test.row, "ID", id))
		if test.kind != "" {
			counted = append(counted, id+" "+test.kind)
		}
		switch test.by {
		case byUser:
			byUsers = append(byUsers, id+" 7")
		case byAnonymous:
			bySessions = append(bySessions, id+" "+session.String())
		}
	}
	require.Equal(t, counted, dbtest.List(t, w.pool, "SELECT url_id || ' ' || kind FROM url_annotations ORDER BY url_id"))
	require.Equal(t, byUsers, dbtest.List(t, w.pool, "SELECT url_id || ' ' || user_id FROM user_url_annotations ORDER BY url_id"))
	require.Equal(t, bySessions,
		dbtest.List(t, w.pool, "SELECT url_id || ' ' || session_id FROM anonymous_url_annotations ORDER BY url_id"))
}
