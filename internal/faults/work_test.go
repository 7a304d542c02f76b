package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/auth"
	"docket/internal/dbtest"
)

// kind is a kind of write.
type kind struct {
	name   string
	weight int // how often clients do it, relative to the others
	// harmless means that its repetition without a key doubles nothing. Clients repeat other kinds only with a key.
	harmless bool
	// make returns the request, without a key, and its mark: a text in what is stored that no other request has. It is the given
	// one, or replaces it. make returns false when there is nothing to do.
	make func(w *worker, mark string) (r request, marked string, found bool)
	// refused returns whether the answer, which is no success, says to a client that repeated the request without a key that it
	// had taken effect.
	refused func(response) bool
	// wrong returns what is wrong in the answer 200 to a request. firstTime means that it must be the answer of the request that
	// took effect: of one with a key, or of one that was not repeated.
	wrong func(r response, firstTime bool) bool
	// stored lists, for the marks in $1 that are stored: mark, how many times, whether all parts are.
	stored string
}

// catalog are the rows that requests refer to.
type catalog struct{ agencies, locations, counties, urls []string }

func readCatalog(s *system) (c catalog) {
	conn := s.connect()
	defer conn.Close(s.t.Context())
	for _, list := range []struct {
		of    *[]string
		query string
	}{
		{&c.agencies, "SELECT id::text FROM agencies ORDER BY id LIMIT 50"},
		{&c.locations, "SELECT id::text FROM locations ORDER BY id LIMIT 50"},
		{&c.counties, "SELECT id::text FROM counties ORDER BY id LIMIT 20"},
		{&c.urls, "SELECT id::text FROM urls ORDER BY id LIMIT 200"},
	} {
		*list.of = dbtest.List(s.t, conn, list.query)
		require.NotEmpty(s.t, *list.of)
	}
	return c
}

func (w *worker) one(list []string) string { return list[w.random.IntN(len(list))] }

// worker is an annotator who also does everything else.
type worker struct {
	*suite
	number int
	random *rand.Rand
	users  bool // annotates as a user, otherwise in a session

	session  string
	answered int // in the session
}

// The users of a worker. The sessions of a worker become annotations of a user who does not annotate.
func (w *worker) user() string     { return w.tokenOf(int32(100_000 + w.number)) }
func (w *worker) migrator() string { return w.tokenOf(int32(200_000 + w.number)) }
func (w *worker) admin() string {
	return w.tokenOf(int32(300_000+w.number), auth.AccessSourceCollector, auth.Robot)
}

func (w *worker) tokenOf(user int32, permissions ...auth.Permission) string {
	token, err := auth.Issue(secretKey, user, permissions, time.Hour*24, time.Now())
	require.NoError(w.system.t, err)
	return token
}

// nextURL asks which URL to annotate, as often as necessary. It returns false when none is left.
func (w *worker) nextURL() (int, bool) {
	final, _ := w.send("GET the next URL", w.nextRequest(), true)
	var body struct {
		Next *struct {
			Info struct {
				ID int `json:"url_id"`
			} `json:"url_info"`
		} `json:"next_annotation"`
	}
	if final.status != http.StatusOK || !final.decode(&body) || body.Next == nil {
		return 0, false
	}
	return body.Next.Info.ID, true
}

func (w *worker) nextRequest() request {
	if w.users {
		return request{method: "GET", path: "/annotate/all", token: w.user()}
	}
	return request{method: "GET", path: "/annotate/anonymous?session_id=" + w.session}
}

// answer is the body of an answer that has every part.
func (w *worker) answer(mark string) string {
	return fmt.Sprintf(`{"suggested_status": "data source", "record_type": "Stops", "agency_info": {"agency_ids": [%s]},
		"location_info": {"location_ids": [%s]}, "name_info": {"new_name": %q}}`, w.one(w.agencies), w.one(w.locations), mark)
}

// storedAnswers finds answers by their new name, whose author must have said the rest as well. A migrated answer is the user's.
const storedAnswers = `
	SELECT n.suggestion::text, count(*)::int, bool_and(
		EXISTS (SELECT FROM annotation__url_type__user x WHERE x.url_id = n.url_id AND x.user_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__record_type__user x WHERE x.url_id = n.url_id AND x.user_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__agency__user x WHERE x.url_id = n.url_id AND x.user_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__location__user x WHERE x.url_id = n.url_id AND x.user_id::text = e.author)
		OR EXISTS (SELECT FROM annotation__url_type__anon x WHERE x.url_id = n.url_id AND x.session_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__record_type__anon x WHERE x.url_id = n.url_id AND x.session_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__agency__anon x WHERE x.url_id = n.url_id AND x.session_id::text = e.author)
			AND EXISTS (SELECT FROM annotation__location__anon x WHERE x.url_id = n.url_id AND x.session_id::text = e.author))
	FROM annotation__name__suggestions n
	JOIN (
		SELECT suggestion_id, user_id::text AS author FROM annotation__name__user__endorsements
		UNION ALL SELECT suggestion_id, session_id::text FROM annotation__name__anon__endorsements
	) e ON e.suggestion_id = n.id
	WHERE n.suggestion = ANY($1) GROUP BY 1`

// answersPerMigration is how many answers a session has when it becomes a user's.
const answersPerMigration = 3

var kinds = []kind{
	{
		name: "answer", weight: 30, harmless: true, stored: storedAnswers,
		make: func(w *worker, mark string) (request, string, bool) {
			if w.session == "" {
				w.session, w.answered = uuid.NewString(), 0
			}
			if w.answered == answersPerMigration {
				return request{}, "", false
			}
			url, found := w.nextURL()
			if !found {
				return request{}, "", false
			}
			if w.users {
				return request{method: "POST", path: fmt.Sprintf("/annotate/all/%d", url), token: w.user(), body: w.answer(mark)}, mark, true
			}
			w.answered++
			return request{method: "POST", path: fmt.Sprintf("/annotate/anonymous/%d?session_id=%s", url, w.session), body: w.answer(mark)}, mark, true
		},
	},
	{
		name: "skip", weight: 8, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			if !w.users && w.session == "" {
				return request{}, "", false
			}
			url, found := w.nextURL()
			if !found {
				return request{}, "", false
			}
			r := request{method: "POST", path: fmt.Sprintf("/annotate/all/%d/skip", url), token: w.user()}
			if !w.users {
				r = request{method: "POST", path: fmt.Sprintf("/annotate/anonymous/%d/skip?session_id=%s", url, w.session)}
			}
			r.body = fmt.Sprintf(`{"reason": "other", "note": %q}`, mark)
			return r, mark, true
		},
		stored: `SELECT h.detail->>'note', count(*)::int, bool_and(h.event = 'skipped' AND num_nonnulls(h.user_id, h.session_id) = 1)
			FROM url_history h WHERE h.detail->>'note' = ANY($1) GROUP BY 1`,
	},
	{
		name: "migration of a session", weight: 8, harmless: true,
		make: func(w *worker, _ string) (request, string, bool) {
			if w.session == "" || w.answered < answersPerMigration {
				return request{}, "", false
			}
			session := w.session
			w.session = ""
			return request{method: "POST", path: "/annotate/migrate?session_id=" + session, token: w.migrator()}, session, true
		},
		wrong: func(r response, firstTime bool) bool {
			var body struct{ Migrated, Skipped int }
			return !r.decode(&body) || firstTime && body.Migrated+body.Skipped != 5*answersPerMigration
		},
		stored: `SELECT session_id::text, 1, count(*) = 3 AND NOT EXISTS (SELECT FROM annotation__url_type__anon a WHERE a.session_id = m.session_id)
			FROM anonymous_migrated_answers m WHERE session_id::text = ANY($1) GROUP BY session_id`,
	},
	{
		name: "agency", weight: 12,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/agencies", token: w.admin(), body: fmt.Sprintf(
				`{"name": %q, "type": "court", "jurisdiction_type": "local", "location_ids": [%s]}`, mark, w.one(w.locations))}, mark, true
		},
		stored: `SELECT name::text, count(*)::int, bool_and(EXISTS (SELECT FROM link_agencies__locations l WHERE l.agency_id = a.id))
			FROM agencies a WHERE name = ANY($1) GROUP BY 1`,
	},
	{
		name: "proposal", weight: 12, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/submit/agency", token: w.user(), body: fmt.Sprintf(
				`{"name": %q, "agency_type": "court", "jurisdiction_type": "local", "location_ids": [%s]}`, mark, w.one(w.locations))}, mark, true
		},
		wrong: statusIs("SUCCESS", "PROPOSAL_DUPLICATE"),
		stored: `SELECT name::text, count(*)::int,
			bool_and(EXISTS (SELECT FROM proposal__link__agencies__locations l WHERE l.proposal_agency_id = p.id))
			FROM proposal__agencies p WHERE name = ANY($1) GROUP BY 1`,
	},
	{
		name: "location", weight: 8, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/locations", token: w.admin(), body: fmt.Sprintf(
				`{"locality_name": %q, "county_id": %s}`, mark, w.one(w.counties))}, mark, true
		},
		refused: alreadyStored,
		stored: `SELECT m.name::text, count(*)::int, bool_and(l.id IS NOT NULL)
			FROM localities m LEFT JOIN locations l ON l.locality_id = m.id WHERE m.name = ANY($1) GROUP BY 1`,
	},
	{
		name: "URL", weight: 10, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/submit/url", token: w.user(), body: fmt.Sprintf(
				`{"url": "https://%s", "record_type": "Stops", "name": "N", "agency_id": %s, "location_id": %s}`,
				mark, w.one(w.agencies), w.one(w.locations))}, mark, true
		},
		wrong: statusIs("accepted_as_is", "database_duplicate"),
		stored: `SELECT u.url, count(*)::int, bool_and(EXISTS (SELECT FROM link_user_submitted_urls l WHERE l.url_id = u.id)
				AND EXISTS (SELECT FROM annotation__agency__user a WHERE a.url_id = u.id)
				AND EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = u.id))
			FROM urls u WHERE u.url = ANY($1) GROUP BY 1`,
	},
	{
		name: "data source", weight: 8, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/submit/data-source", body: fmt.Sprintf(
				`{"source_url": "https://%s", "name": "N", "record_type": "Stops", "agency_ids": [%s], "location_ids": [%s]}`,
				mark, w.one(w.agencies), w.one(w.locations))}, mark, true
		},
		refused: alreadyStored,
		// Annotators may have been offered the URL since: their votes are not those of the submission.
		stored: `SELECT u.url, count(*)::int, bool_and(b.id IS NOT NULL AND t.session_id IS NOT NULL)
			FROM urls u LEFT JOIN link_batches__urls b ON b.url_id = u.id
			LEFT JOIN annotation__url_type__anon t ON t.url_id = u.id AND EXISTS (SELECT FROM url_history h
				WHERE h.url_id = u.id AND h.session_id = t.session_id AND h.detail->>'cause' = 'submission')
			WHERE u.url = ANY($1) GROUP BY 1`,
	},
	{
		name: "manual batch", weight: 10,
		make: func(w *worker, mark string) (request, string, bool) {
			return request{method: "POST", path: "/collector/manual", token: w.admin(), body: fmt.Sprintf(
				`{"name": %q, "entries": [{"url": "https://%s/1"}, {"url": "https://%s/2", "record_type": "Stops"}]}`, mark, mark, mark)}, mark, true
		},
		wrong: func(r response, _ bool) bool {
			var body struct{ URLs []int }
			return !r.decode(&body) || len(body.URLs) != 2
		},
		stored: `SELECT parameters->>'name', count(*)::int,
			bool_and((SELECT count(*) FROM link_batches__urls l WHERE l.batch_id = b.id) = 2)
			FROM batches b WHERE parameters->>'name' = ANY($1) GROUP BY 1`,
	},
	{
		name: "suggestions", weight: 10, harmless: true,
		make: func(w *worker, mark string) (request, string, bool) {
			url := w.one(w.urls)
			return request{method: "POST", path: "/suggestions", token: w.admin(), body: fmt.Sprintf(
				`{"suggestions": [{"url_id": %s, "attribute": "name", "value": %q}, {"url_id": %s, "attribute": "agency", "value": %s,
				"confidence": 50, "source": "homepage_match"}]}`, url, mark, url, w.one(w.agencies))}, mark, true
		},
		wrong: func(r response, firstTime bool) bool {
			var body struct {
				Stored   int
				Rejected []any
			}
			return !r.decode(&body) || len(body.Rejected) > 0 || firstTime && body.Stored == 0
		},
		stored: `SELECT n.suggestion::text, count(*)::int, bool_and(EXISTS (SELECT FROM annotation__agency__auto__subtasks x WHERE x.url_id = n.url_id))
			FROM annotation__name__suggestions n WHERE n.suggestion = ANY($1) GROUP BY 1`,
	},
}

func statusIs(first, again string) func(response, bool) bool {
	return func(r response, firstTime bool) bool {
		var body struct{ Status string }
		return !r.decode(&body) || body.Status != first && (firstTime || body.Status != again)
	}
}

func alreadyStored(r response) bool { return r.problem == "already-stored" }

// weighted are the kinds, each as often as its weight says.
var weighted = func() (list []*kind) {
	for i := range kinds {
		list = append(list, slices.Repeat([]*kind{&kinds[i]}, kinds[i].weight)...)
	}
	return list
}()

// markOf returns a text that is valid as a name, and as a URL without a scheme.
func markOf() string { return "faults-" + strings.ReplaceAll(uuid.NewString(), "-", "") + ".org" }
