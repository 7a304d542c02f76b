package benchmarks

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// TestRun is about what the report holds; how long anything takes does not matter.
func TestRun(t *testing.T) {
	t.Parallel()
	report, err := Run(t.Context(), dbtest.Empty(t), []int{1000}, Options{
		Probe: time.Millisecond, Load: 90 * time.Millisecond, Limit: 300 * time.Millisecond,
	})
	require.NoError(t, err)
	require.Len(t, report.Sizes, 1)
	size := &report.Sizes[0]
	require.Positive(t, size.Rows)

	for _, user := range warmUsers {
		f := size.find(mainQueryGroup, warmName(user))
		require.NotNil(t, f, user)
		require.Positive(t, f.Times, user)
		require.NotNil(t, f.Buffers, user)
		require.Positive(t, f.Buffers.Generic, user)
		require.Positive(t, f.Buffers.Custom, user)
	}
	get := size.find(getGroup, "url=typical/remembered=no")
	require.NotNil(t, get)
	require.Positive(t, get.Values["round_trips"])
	phases := size.find("HTTP round trip and phases", "url=hottest")
	require.NotNil(t, phases)
	require.Positive(t, phases.Values["main_query_us"])
	require.Positive(t, phases.Values["total_us"])
	for _, endpoint := range endpoints {
		f := size.find(requestsGroup, endpoint.name+"/clients=8")
		require.NotNil(t, f, endpoint.name)
		require.Positive(t, f.PerSecond, endpoint.name)
	}
	require.NotNil(t, size.find("readers of the view", "refreshing concurrently"))
	verified := size.find(answersGroup, "queue verify afterwards")
	require.NotNil(t, verified)
	require.Zero(t, verified.Values["differences"])
	for _, where := range []string{"spread", "one URL"} {
		f := size.find(answersGroup, "32 writers, "+where+", 2 labelers/upkeep=queue")
		require.NotNil(t, f)
		require.Zero(t, f.Values["deadlocks"], where)
	}
	upkeep := size.find(answersGroup, "1 writer, synchronous_commit=off/upkeep=queue")
	require.NotNil(t, upkeep)
	require.Greater(t, upkeep.Values["wal_bytes"], size.find(answersGroup, "1 writer, synchronous_commit=off/upkeep=none").Values["wal_bytes"])
	for _, name := range []string{"reserve=0", "reserve=10m, again", "reserve=10m, first"} {
		for _, held := range []int{0, 100} {
			require.NotNil(t, size.find(heldGroup, heldName(held, name+"/user=heavy-5000/remembered=no")), name)
			require.NotNil(t, size.find(heldHTTPGroup, heldName(held, name+"/user=new")), name)
		}
	}
	for _, where := range []string{"spread", "shared head"} {
		f := size.find(crowdGroup, where+"/reserve=10m")
		require.NotNil(t, f)
		require.Positive(t, f.Values["looks"])
		require.Zero(t, f.Values["held_beyond_need"])
	}
	reserved := size.find(crowdGroup, "queue verify afterwards")
	require.NotNil(t, reserved)
	require.Zero(t, reserved.Values["differences"])
	require.NotEmpty(t, report.Targets)

	text, err := json.Marshal(report)
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, *report, again)
	var table bytes.Buffer
	require.NoError(t, report.Print(&table))
	require.Contains(t, table.String(), "form=queue/cursor=warm/user=heavy-5000")
	table.Reset()
	require.NoError(t, Compare(&table, report, &again))
	require.Contains(t, table.String(), "1.00")
	require.ErrorContains(t, Compare(&table, &Report{}, report), "in common")
}

// TestCast checks that each annotator has done the documented number of URLs, and that the queue equals a recount.
func TestCast(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := prepareData(t.Context(), pool, 2000)
	require.NoError(t, err)
	require.NoError(t, ranking.Verify(t.Context(), pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))

	first := next(t, pool, NewUser)
	require.NotZero(t, first)
	order, err := column[int32](t.Context(), pool,
		"SELECT url_id FROM annotation_queue WHERE eligible ORDER BY priority, url_id LIMIT 67")
	require.NoError(t, err)
	require.Equal(t, order[0], first)
	require.Equal(t, order[66], next(t, pool, Casual))
	require.NotContains(t, order, next(t, pool, Heavy5000))
	require.NotEqual(t, next(t, pool, Heavy5000), next(t, pool, Heavy50000))
	require.Zero(t, next(t, pool, DoneAll))
	followed, err := column[int32](t.Context(), pool, "SELECT url_id FROM annotation_queue WHERE eligible AND batch_id > 1000000")
	require.NoError(t, err)
	require.Len(t, followed, 500)
	for _, user := range []int32{Follows3, Follows50, Follows50Mid} {
		require.Contains(t, followed, next(t, pool, user), userName(user))
	}
	require.NotContains(t, followed, next(t, pool, Follows50End))
	var inBatch int
	require.NoError(t, pool.QueryRow(t.Context(),
		"SELECT count(*) FROM link_batches__urls WHERE batch_id = $1", smallBatch).Scan(&inBatch))
	require.Equal(t, 50, inBatch)
}

// next is 0 when nothing is left.
func next(t *testing.T, pool *postgres.Pool, user int32) int32 {
	t.Helper()
	choice, err := ranking.NewQueue().NextForUser(t.Context(), pool, user, ranking.Filter{})
	require.NoError(t, err)
	if choice == nil {
		return 0
	}
	return choice.URLID
}

// TestFormsAgree checks that every form of the main query returns the same URL. Otherwise their times could not be compared.
func TestFormsAgree(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := prepareData(t.Context(), pool, 500)
	require.NoError(t, err)
	for _, user := range slices.Concat(users, []int32{1, 2, 4, 8}) {
		if user == DoneAll {
			continue
		}
		want := next(t, pool, user)
		for _, form := range []string{"plain", "plain_mended", "seed_change"} {
			var id int32
			var url, scheme *string
			var slash bool
			require.NoError(t, pool.QueryRow(t.Context(), statement("next_"+form), user).Scan(&id, &url, &scheme, &slash))
			require.Equal(t, want, id, "%s, user %d", form, user)
		}
		choice, err := ranking.Matview{}.NextForUser(t.Context(), pool, user, ranking.Filter{})
		require.NoError(t, err)
		require.Equal(t, want, choice.URLID, "matview, user %d", user)
	}
}

// TestSubmitWithoutQueue checks that the copy differs from Docket's statement only by the upkeep of the queue, of consensus_due, of
// reservations and skips, and of the history.
func TestSubmitWithoutQueue(t *testing.T) {
	t.Parallel()
	_, product, _ := strings.Cut(db.AnnotationInsert, "WITH ")
	_, copied, _ := strings.Cut(statement("submit_without_queue"), "WITH ")
	head, _, found := strings.Cut(product, "), counted AS (")
	require.True(t, found)
	require.True(t, strings.HasPrefix(copied, head), "the parts before the upkeep differ")
	for _, column := range []string{"due)::boolean AS due", "late)::boolean AS late", "elsewhere)::boolean AS reserved_elsewhere"} {
		product = strings.Replace(product, "    EXISTS (SELECT FROM "+column+",\n", "", 1)
	}
	product = strings.Replace(product, "    coalesce((SELECT queue.reserved FROM queue), false)::boolean AS still_reserved,\n", "", 1)
	tail := strings.TrimPrefix(copied, head)
	require.True(t, strings.HasSuffix(strings.TrimRight(product, "\n; ")+";\n", strings.TrimPrefix(tail, ")")),
		"the parts after the upkeep differ")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	size := Size{URLs: 10_000, Figures: []Figure{
		{Group: mainQueryGroup, Name: "form=plain/user=new", Over: 5},
		{Group: mainQueryGroup, Name: warmName("new"), P50: 100, Times: 3, Buffers: &Buffers{Generic: 10, Custom: 17}},
		{Group: answersGroup, Name: "queue verify afterwards", Values: map[string]float64{"differences": 0}},
	}}
	met := make(map[string]bool)
	for _, target := range judge([]Size{size}) {
		met[target.Name] = target.Met
	}
	require.Equal(t, map[string]bool{
		"main query: times faster than plain views (which were given up: at least)": true,
		"main query, buffers: new":          false,
		"main query, times SELECT 1: new":   false,
		"differences found by queue verify": true,
	}, met)
}
