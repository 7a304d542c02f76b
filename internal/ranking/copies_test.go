package ranking_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestCopiesOfNextQueue derives the statements for a batch and for an anonymous session from those for a user, and the
// statement that continues a window from the one that starts it, and compares them with the file. A change of one must be made in
// all.
func TestCopiesOfNextQueue(t *testing.T) {
	t.Parallel()
	statements := dbtest.Statements(t, "next_queue")
	eligibleOrBehind := regexp.MustCompile(`(?m)^( *)WHERE (q\.eligible\n *AND NOT q\.reserved|\(q\.priority, q\.url_id\) < .*)$`)
	// Own follows order only the URLs of a user among all.
	entered := regexp.MustCompile(`(?s)EXISTS \(\n        SELECT FROM changed\n.*?\n    \)::boolean AS followed_changed`)
	withoutFollows := func(text string) string {
		return entered.ReplaceAllString(strings.NewReplacer(
			"coalesce((SELECT f.changed_xid FROM followed_batches f WHERE f.user_id = @user_id), -1)", "(-1)",
			"coalesce(follows.changed_xid, -1)", "(-1)",
			"LEFT JOIN followed_batches follows ON follows.user_id = @user_id\n", "").Replace(text), "false::boolean AS followed_changed")
	}
	inBatch := func(text string) string {
		return eligibleOrBehind.ReplaceAllString(withoutFollows(text), "${1}WHERE ${2}\n${1}    AND q.batch_id = @batch_id::integer")
	}
	done := strings.NewReplacer("user_url_done", "anonymous_url_done", "user_id", "session_id")
	ofSession := func(text string) string { return done.Replace(withoutFollows(text)) }
	for name, conditions := range map[string]int{"QueueNextGetCold": 1, "QueueNextGetWarm": 3} {
		text := statements[name]
		require.NotEmpty(t, text, name)
		require.Len(t, eligibleOrBehind.FindAllString(text, -1), conditions, "%s: rows of the queue that a batch limits", name)
		require.Equal(t, inBatch(text), statements[name+"InBatch"])
		require.Equal(t, ofSession(text), statements[name+"Anonymous"])
	}
	require.Equal(t, ofSession(statements["QueueDoneCount"]), statements["QueueDoneCountAnonymous"])

	const (
		notDone = "AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)"
		after   = "AND (q.priority, q.url_id) > (@end_priority::bigint, @end_url_id::integer)"
		each    = "    FROM examined e\n"
		undone  = "    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = e.url_id OFFSET 0)\n"
	)
	require.Equal(t, strings.NewReplacer(notDone, after, each, each+undone).Replace(statements["QueueFollowedGetCold"]),
		statements["QueueFollowedGetColdFrom"])
}
