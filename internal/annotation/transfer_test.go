package annotation_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/dbtest"
)

// row is an annotation of a kind. A user has at most one row of a URL for the kinds that are exclusive.
type row struct {
	kind  string
	url   int32
	value string
	at    int // the day of January on which a session stored it; 0 for users
}

func exclusive(kind string) bool { return kind == "url_type" || kind == "record_type" }

// values are two values of each kind. The first is the smaller one in the order of the database. Those of names are ids of URL 1.
var values = map[string][2]string{
	"url_type":    {"data source", "meta url"},
	"record_type": {"Stops", "Other"},
	"agency":      {"1", "2"},
	"location":    {"1", "2"},
	"name":        {"1", "2"},
}

var kinds = []string{"url_type", "record_type", "agency", "location", "name"}

func drawRows(t *rapid.T, ofUser bool) (rows []row) {
	taken := map[string]bool{}
	for range rapid.IntRange(0, 14).Draw(t, "rows") {
		r := row{kind: rapid.SampledFrom(kinds).Draw(t, "kind"), url: rapid.Int32Range(1, 3).Draw(t, "url")}
		r.value = values[r.kind][rapid.IntRange(0, 1).Draw(t, "value")]
		if r.kind == "name" {
			r.url = 1
		}
		key := fmt.Sprint(r)
		if ofUser && exclusive(r.kind) {
			key = fmt.Sprint(r.kind, r.url)
		}
		if !ofUser {
			r.at = rapid.IntRange(1, 3).Draw(t, "day")
		}
		if !taken[key] {
			taken[key] = true
			rows = append(rows, r)
		}
	}
	return rows
}

// transferred is the definition of a transfer: the rows of the user afterwards, and how many of them were the session's.
func transferred(own, ofSession []row) (rows []row, moved int) {
	rows = slices.Clone(own)
	// The last one first, of several at one time the smaller value.
	slices.SortFunc(ofSession, func(a, b row) int {
		rank := func(r row) int { return slices.Index([]string{values[r.kind][0], values[r.kind][1]}, r.value) }
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(rank(a), rank(b)))
	})
	for _, r := range ofSession {
		r.at = 0
		has := slices.ContainsFunc(rows, func(o row) bool {
			return o.kind == r.kind && o.url == r.url && (exclusive(r.kind) || o.value == r.value)
		})
		if !has {
			rows = append(rows, r)
			moved++
		}
	}
	return rows, moved
}

func texts(rows []row) []string {
	list := []string{}
	for _, r := range rows {
		list = append(list, fmt.Sprintf("%s %d %s", r.kind, r.url, r.value))
	}
	slices.Sort(list)
	return list
}

// TestTransferProperty compares transfers of random rows with the definition above. Then the session has no rows, every URL that it
// annotated stays done for it, and another transfer does nothing.
func TestTransferProperty(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (1, 'Another')")
	user := int32(0)
	rapid.Check(t, func(rt *rapid.T) {
		user++
		session := b.storedSession(t)
		own, ofSession := drawRows(rt, true), drawRows(rt, false)
		for _, r := range own {
			b.store(t, r, "user", user)
		}
		done := map[int32]bool{}
		for _, r := range ofSession {
			b.store(t, r, "anon", session)
			done[r.url] = done[r.url] || r.kind != "name"
		}
		b.settle(t)

		got, err := b.service.TransferSession(t.Context(), user, session)
		require.NoError(rt, err)
		want, moved := transferred(own, ofSession)
		require.Equal(rt, annotation.SessionTransfer{Transferred: int32(moved), Skipped: int32(len(ofSession) - moved)}, got)
		require.Equal(rt, texts(want), dbtest.List(t, b.pool, fmt.Sprintf(`
			SELECT line FROM (
				SELECT format('url_type %%s %%s', url_id, type) AS line FROM annotation__url_type__user WHERE user_id = %[1]d
				UNION ALL SELECT format('record_type %%s %%s', url_id, record_type) FROM annotation__record_type__user WHERE user_id = %[1]d
				UNION ALL SELECT format('agency %%s %%s', url_id, agency_id) FROM annotation__agency__user WHERE user_id = %[1]d
				UNION ALL SELECT format('location %%s %%s', url_id, location_id) FROM annotation__location__user WHERE user_id = %[1]d
				UNION ALL SELECT format('name 1 %%s', suggestion_id) FROM annotation__name__user__endorsements WHERE user_id = %[1]d
			) AS lines ORDER BY line COLLATE "C"`, user)))
		require.Zero(rt, b.count(t, `SELECT (SELECT count(*) FROM annotation__url_type__anon) + (SELECT count(*) FROM annotation__record_type__anon)
			+ (SELECT count(*) FROM annotation__agency__anon) + (SELECT count(*) FROM annotation__location__anon)
			+ (SELECT count(*) FROM annotation__name__anon__endorsements)`))
		for url := int32(1); url <= 3; url++ {
			require.Equal(rt, map[bool]int{true: 1}[done[url]],
				b.count(t, "SELECT count(*) FROM anonymous_url_done WHERE session_id = $1 AND url_id = $2", session, url))
		}
		got, err = b.service.TransferSession(t.Context(), user, session)
		require.NoError(rt, err)
		require.Equal(rt, annotation.SessionTransfer{}, got)
	})
	b.requireExactQueue(t)
}

// store inserts a row of a user or a session. The rows of users are old.
func (b bundle) store(t *testing.T, r row, who string, id any) {
	t.Helper()
	owner := map[string]string{"user": "user_id", "anon": "session_id"}[who]
	at := fmt.Sprintf("2025-01-%02d", max(r.at, 1))
	var statement string
	switch {
	case r.kind == "name":
		statement = fmt.Sprintf("INSERT INTO annotation__name__%s__endorsements (suggestion_id, %s) VALUES (%s, $1)", who, owner, r.value)
	case r.kind == "agency" && who == "user":
		statement = fmt.Sprintf("INSERT INTO annotation__agency__user (url_id, agency_id, user_id) VALUES (%d, %s, $1)", r.url, r.value)
	default:
		column := map[string]string{"agency": "agency_id", "location": "location_id", "record_type": "record_type", "url_type": "url_type"}[r.kind]
		if r.kind == "url_type" && who == "user" {
			column = "type"
		}
		statement = fmt.Sprintf("INSERT INTO annotation__%s__%s (url_id, %s, %s, created_at) VALUES (%d, '%s', $1, '%s')",
			r.kind, who, column, owner, r.url, r.value, at)
	}
	_, err := b.pool.Exec(t.Context(), statement, id)
	require.NoError(t, err)
}
