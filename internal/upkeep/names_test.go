package upkeep_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/tasks"
)

// names are the name suggestions of a URL with their sources, by id.
func (b bundle) names(t *testing.T, urlID int) []string {
	t.Helper()
	return dbtest.List(t, b.pool, `
		SELECT suggestion || ' | ' || coalesce(source::text, 'none') FROM annotation__name__suggestions WHERE url_id = $1 ORDER BY id`, urlID)
}

func (b bundle) autoName(t *testing.T) (task int32, result string) {
	t.Helper()
	task = b.begin(t, tasks.AutoName, "auto_name")
	result, err := b.works.AutoName(t.Context(), task)
	require.NoError(t, err)
	return task, result
}

// TestAutoName shows for each kind of title whether it becomes a name.
func TestAutoName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const robot, user = " | HTML Metadata Title", " | User"
	hundred := strings.Repeat("é", 100)
	tests := []struct {
		name, title string
		known, want []string
	}{
		{"a title", "Police", nil, []string{"Police" + robot}},
		{"white space around it", "\n\u00a0 Police \u2003", nil, []string{"Police" + robot}},
		{"blank", " \n\t\u00a0\u3000", nil, []string{}},
		{"empty", "", nil, []string{}},
		{"100 characters", hundred, nil, []string{hundred + robot}},
		{"101 characters", hundred + "x", nil, []string{hundred[:2*97] + "..." + robot}},
		{"100 characters and white space", " " + hundred + " ", nil, []string{hundred + robot}},
		{"quotes and percents", `It's 100 % "x"`, nil, []string{`It's 100 % "x"` + robot}},
		{"a user has suggested the title", "Police", []string{"Police" + user}, []string{"Police" + user}},
		{"a user has suggested the cut title", hundred + "x", []string{hundred[:2*97] + "..." + user}, []string{hundred[:2*97] + "..." + user}},
		{"a user has suggested another name", "Police", []string{"Sheriff" + user}, []string{"Sheriff" + user, "Police" + robot}},
		{"an earlier title", "Police", []string{"Sheriff" + robot}, []string{"Sheriff" + robot}},
	}
	added := 0
	for i, test := range tests {
		id := 10 + i
		dbtest.Exec(t, b.pool, "INSERT INTO urls (id, url, source) VALUES ($1::integer, $1 || '.com', 'collector')", id)
		dbtest.Exec(t, b.pool, "INSERT INTO url_html_content (url_id, content_type, content) VALUES ($1, 'Title', $2), ($1, 'H1', 'No title')",
			id, test.title)
		for _, known := range test.known {
			text, source, _ := strings.Cut(known, " | ")
			dbtest.Exec(t, b.pool, "INSERT INTO annotation__name__suggestions (url_id, suggestion, source) VALUES ($1, $2, $3)", id, text, source)
		}
		added += len(test.want) - len(test.known)
	}
	dbtest.Exec(t, b.pool, "INSERT INTO url_html_content (url_id, content_type, content) VALUES (1, 'H1', 'No title')")
	b.settle(t)

	task, result := b.autoName(t)
	require.Equal(t, fmt.Sprintf("%d names added", added), result)
	_, again := b.autoName(t)
	require.Equal(t, "0 names added", again)
	for i, test := range tests {
		id := 10 + i
		require.Equal(t, test.want, b.names(t, id), test.name)
		require.Equal(t, len(test.want)-len(test.known),
			dbtest.Count(t, b.pool, "SELECT count(*) FROM link_tasks__urls WHERE task_id = $1 AND url_id = $2", task, id), test.name)
	}
	require.Empty(t, b.names(t, 1))
	b.requireExact(t)
}

// TestAutoNameIsShownAtOnce shows that a process that has cached what annotators are shown of the URL shows the name next.
func TestAutoNameIsShownAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO url_html_content (url_id, content_type, content) SELECT id, 'Title', 'Title ' || id FROM urls`)
	service := annotation.New(b.pool, ranking.NewQueue())
	first, err := service.Next(t.Context(), 7, annotation.Filter{})
	require.NoError(t, err)
	require.Equal(t, int32(1), first.Next.URLID)
	require.Empty(t, first.Next.Names)

	_, result := b.autoName(t)
	require.Equal(t, "5 names added", result, "validated and suspended URLs get names too, as in the service before Docket")
	again, err := service.Next(t.Context(), 7, annotation.Filter{})
	require.NoError(t, err)
	require.Len(t, again.Next.Names, 1)
	require.Equal(t, "Title 1", again.Next.Names[0].Name)
	b.requireExact(t)
}

// TestAutoNameInParts shows that many URLs are named, that a failure keeps what was done before, and that the next run does the
// rest.
func TestAutoNameInParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(6, 5300) AS n;
		INSERT INTO url_html_content (url_id, content_type, content) SELECT id, 'Title', 'Title ' || id FROM urls WHERE id % 2 = 0;
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source) SELECT id, 'Title ' || id, 'User' FROM urls WHERE id % 100 = 0;
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.url_id = 5200 THEN RAISE 'not this one'; END IF;
			RETURN NEW;
		END $$;
		UPDATE url_html_content SET content = 'Other' WHERE url_id = 5200;
		CREATE TRIGGER refuse BEFORE INSERT ON annotation__name__suggestions FOR EACH ROW EXECUTE FUNCTION refuse()`)
	b.settle(t)
	const titles = "SELECT count(*) FROM annotation__name__suggestions WHERE source = 'HTML Metadata Title'"

	_, err := b.works.AutoName(t.Context(), b.begin(t, tasks.AutoName, "auto_name"))
	require.ErrorContains(t, err, "not this one")
	done := dbtest.Count(t, b.pool, titles)
	require.Positive(t, done, "the parts before the failure stay")
	b.requireExact(t)

	dbtest.Exec(t, b.pool, "DROP TRIGGER refuse ON annotation__name__suggestions")
	_, result := b.autoName(t)
	require.Equal(t, 2650-53+1, dbtest.Count(t, b.pool, titles))
	require.NotEqual(t, "0 names added", result)
	b.requireExact(t)
}

// TestAutoNameRacesAnAnswer shows that an annotator who suggests the same text while the URL is named does not fail.
func TestAutoNameRacesAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(6, 300) AS n;
		INSERT INTO url_html_content (url_id, content_type, content) SELECT id, 'Title', 'Title' FROM urls`)
	b.settle(t)
	service := annotation.New(b.pool, ranking.NewQueue())
	task := b.begin(t, tasks.AutoName, "auto_name")
	title := "Title"
	require.NoError(t, dbtest.Together(2, func(i int) error {
		if i == 0 {
			_, err := b.works.AutoName(t.Context(), task)
			return err
		}
		for id := int32(300); id > 200; id-- {
			if err := service.Submit(t.Context(), 7, id, annotation.Answer{URLType: annotation.NotRelevant, NewName: &title}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, 300, dbtest.Count(t, b.pool, "SELECT count(*) FROM annotation__name__suggestions WHERE suggestion = 'Title'"))
	require.Equal(t, 100, dbtest.Count(t, b.pool, "SELECT count(*) FROM annotation__name__user__endorsements"))
	b.requireExact(t)
}

// TestAutoNameAndADeletion shows that a URL that is deleted while the run waits for it is left out.
func TestAutoNameAndADeletion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO url_html_content (url_id, content_type, content) SELECT id, 'Title', 'Title' FROM urls")
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	require.NoError(t, ranking.Forget(t.Context(), tx, []int32{2}))
	dbtest.Exec(t, tx, "DELETE FROM urls WHERE id = 2")
	task := b.begin(t, tasks.AutoName, "auto_name")
	require.NoError(t, dbtest.Together(2, func(i int) error {
		if i == 0 {
			_, err := b.works.AutoName(t.Context(), task)
			return err
		}
		dbtest.WaitForLocks(t, b.pool, 1)
		return commit(t, tx)
	}))
	require.Equal(t, []string{"1", "3", "4", "5"}, dbtest.List(t, b.pool, "SELECT url_id::text FROM annotation__name__suggestions ORDER BY url_id"))
	b.requireExact(t)
}

func commit(t *testing.T, tx pgx.Tx) error { return tx.Commit(t.Context()) }
