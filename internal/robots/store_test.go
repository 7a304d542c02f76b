package robots_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/robots"
)

// suggested lists all suggestions without generated values.
func (b bundle) suggested(t testing.TB) []string {
	t.Helper()
	return dbtest.List(t, b.pool, `
		SELECT format('agency %s %s %s%s', s.url_id, s.type, CASE WHEN s.agencies_found THEN 'found' ELSE 'none' END,
			(SELECT string_agg(format(' %s:%s', x.agency_id, x.confidence), '' ORDER BY x.id)
				FROM annotation__agency__auto__suggestions x WHERE x.subtask_id = s.id))
		FROM annotation__agency__auto__subtasks s
		UNION ALL
		SELECT format('location %s %s %s%s', s.url_id, s.type, CASE WHEN s.locations_found THEN 'found' ELSE 'none' END,
			(SELECT string_agg(format(' %s:%s', x.location_id, x.confidence), '' ORDER BY x.location_id)
				FROM annotation__location__auto__suggestions x WHERE x.subtask_id = s.id))
		FROM annotation__location__auto__subtasks s
		UNION ALL SELECT format('record_type %s %s', url_id, record_type) FROM annotation__record_type__auto
		UNION ALL SELECT format('relevant %s %s %s %s', url_id, relevant, confidence, model_name) FROM annotation__url_type__auto
		UNION ALL SELECT format('name %s %s (%s)', url_id, suggestion, source) FROM annotation__name__suggestions
		ORDER BY 1`)
}

// tasks lists the tasks, each with the URLs that it is linked to.
func (b bundle) tasks(t testing.TB) []string {
	t.Helper()
	return dbtest.List(t, b.pool, `SELECT format('%s, %s: %s', task_type, task_status, string_agg(url_id::text, ' ' ORDER BY url_id))
		FROM tasks LEFT JOIN link_tasks__urls ON task_id = tasks.id GROUP BY tasks.id ORDER BY task_type, tasks.id`)
}

// lines parses suggestions, one object a line.
func lines(t testing.TB, jsonl string) (suggestions []robots.Suggestion) {
	t.Helper()
	for line := range strings.Lines(jsonl) {
		var s struct {
			URLID      *int32 `json:"url_id"`
			URL        *string
			Attribute  string
			Value      any
			Confidence *float64
			Source     *string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &s))
		suggestions = append(suggestions, robots.Suggestion(s))
	}
	return suggestions
}

// suggest stores suggestions, requires these counts, and returns the rejections.
func (b bundle) suggest(t testing.TB, stored, unchanged int, jsonl string) []string {
	t.Helper()
	done, err := b.Suggest(t.Context(), lines(t, jsonl))
	require.NoError(t, err)
	var rejected []string
	for _, r := range done.Rejected {
		rejected = append(rejected, fmt.Sprintf("%d: %s", r.Index, r.Detail))
	}
	require.Equal(t, [2]int{stored, unchanged}, [2]int{done.Stored, done.Unchanged}, "stored and unchanged; rejected are %q", rejected)
	return rejected
}

const everyAttribute = `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 2, "confidence": 70, "source": "muckrock_match"}
{"url_id": 2, "attribute": "agency", "value": null}
{"url_id": 1, "attribute": "location", "value": 1, "confidence": 62.5}
{"url_id": 2, "attribute": "location", "value": null, "source": "batch_link"}
{"url_id": 1, "attribute": "record_type", "value": "Stops"}
{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 0.5, "source": "a model"}
{"url_id": 2, "attribute": "relevant", "value": false}
{"url": "https://3.org/#top", "attribute": "name", "value": " Police reports "}`

func TestSuggestEveryAttribute(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	require.Empty(t, b.suggest(t, 9, 0, everyAttribute))
	want := []string{
		"agency 1 homepage_match found 1:80", "agency 1 muckrock_match found 2:70", "agency 2 homepage_match none",
		"location 1 nlp_location_frequency found 1:62.5", "location 2 batch_link none",
		"name 3 Police reports (HTML Metadata Title)", "record_type 1 Stops", "relevant 1 t 0.5 a model", "relevant 2 f  ",
	}
	require.Equal(t, want, b.suggested(t))
	tasks := []string{
		"Relevancy, complete: 1 2", "Record Type, complete: 1", "Agency Identification, complete: 1 2", "Location ID, complete: 1 2",
		"Auto Name, complete: 3",
	}
	require.Equal(t, tasks, b.tasks(t))
	require.Equal(t, []string{"5"}, dbtest.List(t, b.pool, `SELECT count(DISTINCT task_id)::text FROM link_tasks__urls`))
	b.requireExact(t)

	// Repeating it changes nothing, not even a task.
	require.Empty(t, b.suggest(t, 0, 9, everyAttribute))
	require.Equal(t, want, b.suggested(t))
	require.Equal(t, tasks, b.tasks(t))
}

// TestSuggestShows checks that an annotator sees each change at once, in the order of the queue and with the URL.
func TestSuggestShows(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	next := func() *annotation.Next {
		offer, err := b.annotations.Next(t.Context(), 7, annotation.Filter{})
		require.NoError(t, err)
		return offer.Next
	}
	require.Equal(t, int32(1), next().URLID)
	b.suggest(t, 1, 0, `{"url_id": 3, "attribute": "relevant", "value": true}`)
	require.Equal(t, int32(3), next().URLID)
	for _, step := range []string{
		`{"url_id": 3, "attribute": "agency", "value": 1, "confidence": 80}`,
		`{"url_id": 3, "attribute": "agency", "value": 1, "confidence": 90}`,
		`{"url_id": 3, "attribute": "location", "value": 1, "confidence": 10}`,
		`{"url_id": 3, "attribute": "location", "value": 1, "confidence": 20}`,
		`{"url_id": 3, "attribute": "name", "value": "Three"}`,
	} {
		b.suggest(t, 1, 0, step)
		shown := next()
		fresh, err := annotation.New(b.pool, ranking.NewQueue()).Next(t.Context(), 7, annotation.Filter{})
		require.NoError(t, err)
		require.Equal(t, fresh.Next, shown, "cached suggestions are invalidated")
	}
	require.Equal(t, int32(90), next().Agencies.Entities[0].RoboConfidence)
	b.requireExact(t)
}

// TestSuggestChanges checks how a new suggestion changes an earlier one.
func TestSuggestChanges(t *testing.T) {
	t.Parallel()
	const agency, location = `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80}`,
		`{"url_id": 1, "attribute": "location", "value": 1, "confidence": 80}`
	const noAgency = `{"url_id": 1, "attribute": "agency", "value": null}`
	for name, test := range map[string]struct {
		before, then      string
		stored, unchanged int
		want              []string
	}{
		"another confidence of an agency": {agency, `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 81}`, 1, 0,
			[]string{"agency 1 homepage_match found 1:81"}},
		"another agency": {agency, `{"url_id": 1, "attribute": "agency", "value": 2, "confidence": 80}`, 1, 0,
			[]string{"agency 1 homepage_match found 1:80 2:80"}},
		"another method": {agency, `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80, "source": "ckan_match"}`, 1, 0,
			[]string{"agency 1 ckan_match found 1:80", "agency 1 homepage_match found 1:80"}},
		"no agency any more": {agency, `{"url_id": 1, "attribute": "agency", "value": null}`, 0, 1,
			[]string{"agency 1 homepage_match found 1:80"}},
		"an agency at last": {`{"url_id": 1, "attribute": "agency", "value": null}`, agency, 1, 0,
			[]string{"agency 1 homepage_match found 1:80", "agency 1 homepage_match none"}},
		"another confidence of a location": {location, `{"url_id": 1, "attribute": "location", "value": 1, "confidence": 0}`, 1, 0,
			[]string{"location 1 nlp_location_frequency found 1:0"}},
		"another location": {location, `{"url_id": 1, "attribute": "location", "value": 2, "confidence": 80}`, 1, 0,
			[]string{"location 1 nlp_location_frequency found 1:80 2:80"}},
		"no location any more": {location, `{"url_id": 1, "attribute": "location", "value": null}`, 0, 1,
			[]string{"location 1 nlp_location_frequency found 1:80"}},
		"a location at last": {`{"url_id": 1, "attribute": "location", "value": null}`, location, 1, 0,
			[]string{"location 1 nlp_location_frequency found 1:80"}},
		"another record type": {`{"url_id": 1, "attribute": "record_type", "value": "Stops"}`,
			`{"url_id": 1, "attribute": "record_type", "value": "Other"}`, 1, 0, []string{"record_type 1 Other"}},
		"not relevant any more": {`{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 0.5, "source": "m"}`,
			`{"url_id": 1, "attribute": "relevant", "value": false, "confidence": 0.5, "source": "m"}`, 1, 0,
			[]string{"relevant 1 f 0.5 m"}},
		"no confidence any more": {`{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 0.5, "source": "m"}`,
			`{"url_id": 1, "attribute": "relevant", "value": true, "source": "m"}`, 1, 0, []string{"relevant 1 t  m"}},
		"another model": {`{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 0.5, "source": "m"}`,
			`{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 0.5}`, 1, 0, []string{"relevant 1 t 0.5 "}},
		"another name": {`{"url_id": 1, "attribute": "name", "value": "One"}`, `{"url_id": 1, "attribute": "name", "value": "Uno"}`, 1, 0,
			[]string{"name 1 One (HTML Metadata Title)", "name 1 Uno (HTML Metadata Title)"}},
		"twice in one request": {agency, agency + "\n" + agency, 0, 2, []string{"agency 1 homepage_match found 1:80"}},
		"the last one counts": {`{"url_id": 1, "attribute": "record_type", "value": "Stops"}`,
			`{"url_id": 1, "attribute": "record_type", "value": "Other"}
{"url": "1.org", "attribute": "record_type", "value": "Surveys"}`, 1, 1, []string{"record_type 1 Surveys"}},
		"found and not found in one request": {`{"url_id": 2, "attribute": "record_type", "value": "Stops"}`,
			noAgency + "\n" + agency + "\n" + noAgency, 1, 2,
			[]string{"agency 1 homepage_match found 1:80", "record_type 2 Stops"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 2)
			dbtest.Exec(t, b.pool, "INSERT INTO us_states (state_iso) VALUES ('NJ'); INSERT INTO locations (type, state_id) VALUES ('State', 2)")
			require.Empty(t, b.suggest(t, 1, 0, test.before))
			require.Empty(t, b.suggest(t, test.stored, test.unchanged, test.then))
			require.Equal(t, test.want, b.suggested(t))
			b.requireExact(t)
			require.Empty(t, b.suggest(t, 0, test.stored+test.unchanged, test.then), "again")
		})
	}
}

// TestSuggestWithRowsOfTheReference checks suggestions for a URL with rows that only the reference writes.
func TestSuggestWithRowsOfTheReference(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	dbtest.Exec(t, b.pool, `INSERT INTO tasks (id, task_type, task_status) VALUES (1001, 'Agency Identification', 'complete');
		INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found) VALUES
			(1001, 1001, 1, 'homepage_match', true), (1002, 1001, 1, 'homepage_match', true), (1003, 1001, 1, 'homepage_match', false);
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1001, 1, 60), (1002, 1, 70), (1002, 2, 70);
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source) VALUES (1, 'One', 'User'), (1, 'Uno', NULL)`)
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	b.suggest(t, 1, 4, `{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 60}
{"url_id": 1, "attribute": "agency", "value": 2, "confidence": 70}
{"url_id": 1, "attribute": "name", "value": "One"}
{"url_id": 1, "attribute": "name", "value": "Uno"}
{"url_id": 1, "attribute": "agency", "value": null, "source": "homepage_match"}`)
	require.Equal(t, []string{
		"agency 1 homepage_match found 1:60", "agency 1 homepage_match found 1:60 2:70", "agency 1 homepage_match none",
		"name 1 One (User)", "name 1 Uno ()",
	}, b.suggested(t), "the highest confidence is shown, so it is changed in every row")
	b.requireExact(t)
}

func TestSuggestRejects(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	long := strings.Repeat("é", 101)
	rejected := b.suggest(t, 2, 0, `{"url_id": 1, "attribute": "record_type", "value": "Stops"}
{"url_id": 4711, "attribute": "record_type", "value": "Stops"}
{"url_id": -1, "attribute": "record_type", "value": "Stops"}
{"url": "https://2.org/", "attribute": "record_type", "value": "Stops"}
{"url": "https://", "attribute": "record_type", "value": "Stops"}
{"url": "a\u0000b.org", "attribute": "record_type", "value": "Stops"}
{"attribute": "record_type", "value": "Stops"}
{"url_id": 1, "url": "1.org", "attribute": "record_type", "value": "Stops"}
{"url_id": 1, "attribute": "colour", "value": "Stops"}
{"url_id": 1, "attribute": "record_type", "value": "stops"}
{"url_id": 1, "attribute": "record_type", "value": null}
{"url_id": 1, "attribute": "record_type", "value": 7}
{"url_id": 1, "attribute": "record_type", "value": ["Stops"]}
{"url_id": 1, "attribute": "record_type", "value": "Stops", "confidence": 1}
{"url_id": 1, "attribute": "name", "value": "One", "source": "User"}
{"url_id": 1, "attribute": "name", "value": " \n "}
{"url_id": 1, "attribute": "name", "value": "`+long+`"}
{"url_id": 1, "attribute": "name", "value": "a\u0000b"}
{"url_id": 1, "attribute": "name", "value": {"text": "One"}}
{"url_id": 1, "attribute": "relevant", "value": null}
{"url_id": 1, "attribute": "relevant", "value": "maybe"}
{"url_id": 1, "attribute": "relevant", "value": 1}
{"url_id": 1, "attribute": "relevant", "value": true, "confidence": 1.01}
{"url_id": 1, "attribute": "relevant", "value": true, "confidence": -0.01}
{"url_id": 1, "attribute": "relevant", "value": true, "source": "`+long+`"}
{"url_id": 1, "attribute": "relevant", "value": true, "source": "a\u0000b"}
{"url_id": 1, "attribute": "agency", "value": 3, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 0, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": -1, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 1.5, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 1e300, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 4294967297, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": "Columbus", "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": true, "confidence": 80}
{"url_id": 1, "attribute": "agency", "value": 1}
{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 101}
{"url_id": 1, "attribute": "agency", "value": 1, "confidence": -1}
{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80.5}
{"url_id": 1, "attribute": "agency", "value": null, "confidence": 101}
{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80, "source": "guess"}
{"url_id": 1, "attribute": "agency", "value": 1, "confidence": 80, "source": "nlp_location_frequency"}
{"url_id": 1, "attribute": "location", "value": 2, "confidence": 80}
{"url_id": 1, "attribute": "location", "value": 9007199254740993, "confidence": 80}
{"url_id": 1, "attribute": "location", "value": 1}
{"url_id": 1, "attribute": "location", "value": 1, "confidence": 100.5}
{"url_id": 1, "attribute": "location", "value": null, "source": "homepage_match"}
{"url_id": 1, "attribute": "name", "value": "One"}`)
	require.Equal(t, []string{
		"1: url_id 4711 does not exist",
		"2: url_id -1 does not exist",
		"3: url 2.org does not exist",
		"4: url https:// is not accepted: nothing is left of the URL without scheme, slashes and fragment",
		"5: url a<U+0000>b.org is not accepted: the URL is not UTF-8 text",
		"6: give either url_id or url",
		"7: give either url_id or url",
		"8: attribute colour is not one of agency, location, record_type, relevant and name",
		"9: value stops is not a record type",
		"10: value is missing: only an agency or a location may be null, which means that none was found",
		"11: value 7 is not a text",
		"12: value (a list) is not a text",
		"13: confidence 1 has no meaning for this attribute",
		"14: source User has no meaning for this attribute",
		"15: value is blank",
		"16: value " + long + " is longer than 100 characters",
		"17: value a<U+0000>b contains a character that cannot be stored",
		"18: value (an object) is not a text",
		"19: value is missing: only an agency or a location may be null, which means that none was found",
		"20: value maybe is neither true nor false",
		"21: value 1 is neither true nor false",
		"22: confidence 1.01 is not a number from 0 to 1",
		"23: confidence -0.01 is not a number from 0 to 1",
		"24: source " + long + " is longer than 100 characters",
		"25: source a<U+0000>b contains a character that cannot be stored",
		"26: value 3 is the id of no agency",
		"27: value 0 is not the id of an agency or a location",
		"28: value -1 is not the id of an agency or a location",
		"29: value 1.5 is not the id of an agency or a location",
		"30: value 1e+300 is not the id of an agency or a location",
		"31: value 4.294967297e+09 is the id of no agency",
		"32: value Columbus is not the id of an agency or a location",
		"33: value true is not the id of an agency or a location",
		"34: confidence is missing",
		"35: confidence 101 is not a number from 0 to 100",
		"36: confidence -1 is not a number from 0 to 100",
		"37: confidence 80.5 is not a whole number from 0 to 100",
		"38: confidence 101 is not a number from 0 to 100",
		"39: source guess is not a method of finding agencies",
		"40: source nlp_location_frequency is not a method of finding agencies",
		"41: value 2 is the id of no location",
		"42: value 9.007199254740992e+15 is not the id of an agency or a location",
		"43: confidence is missing",
		"44: confidence 100.5 is not a number from 0 to 100",
		"45: source homepage_match is not a method of finding locations",
	}, rejected)
	require.Equal(t, []string{"name 1 One (HTML Metadata Title)", "record_type 1 Stops"}, b.suggested(t))

	for _, confidence := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, attribute := range []string{"agency", "location", "relevant"} {
			value := map[string]any{"agency": 1.0, "location": 1.0, "relevant": true}[attribute]
			done, err := b.Suggest(t.Context(), []robots.Suggestion{
				{URLID: new(int32(1)), Attribute: attribute, Value: value, Confidence: &confidence},
			})
			require.NoError(t, err)
			require.Len(t, done.Rejected, 1, "%s %v", attribute, confidence)
		}
	}
	b.requireExact(t)
}

func TestSuggestKnowsTheMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for attribute, enum := range map[string]string{
		"agency": "agency_auto_suggestion_method", "location": "auto_location_id_subtask_type",
	} {
		methods := dbtest.List(t, b.pool, "SELECT unnest(enum_range(NULL::"+enum+"))::text")
		for _, method := range methods {
			b.suggest(t, 1, 0, fmt.Sprintf(`{"url_id": 1, "attribute": %q, "value": 1, "confidence": 1, "source": %q}`, attribute, method))
		}
	}
}
