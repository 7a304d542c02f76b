package submissions_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/submissions"
	"docket/internal/urlform"
)

// duplicatesIn returns the groups as texts.
func duplicatesIn(t *testing.T, s *submissions.Service) (groups []string) {
	t.Helper()
	require.NoError(t, s.EachLikelyDuplicates(t.Context(), func(done, total int64) { require.LessOrEqual(t, done, total) },
		func(group submissions.LikelyDuplicates) error {
			text := fmt.Sprint(group.Differences, " ", group.Count)
			for i, url := range group.URLs {
				if i == 3 {
					text += fmt.Sprintf(" and %d", len(group.URLs)-i)
					break
				}
				text += fmt.Sprintf(" %d %q", url.ID, url.URL)
			}
			groups = append(groups, text)
			return nil
		}))
	return groups
}

// Groups are in the order of their differences; a group with two is explained by both. URLs that others stored are read as they are.
func TestLikelyDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `INSERT INTO urls (id, url, scheme, trailing_slash, source) VALUES
		(1, 'one.org/a?', 'https', false, 'collector'), (2, 'one.org/a', 'https', true, 'manual'),
		(3, 'www.two.org', 'http', false, 'manual'), (4, 'two.org', 'https', false, 'manual'), (5, 'WWW.Two.org', NULL, false, 'manual'),
		(6, 'three.org/%41', 'ftp', false, 'manual'), (7, 'three.org/A', '', false, 'manual'),
		(8, 'four.org' || chr(8203), 'https', false, 'manual'), (9, 'four.org', 'https', false, 'manual'),
		(10, 'MÜNCHEN.example', 'https', false, 'manual'), (11, 'münchen.example', 'https', false, 'manual'),
		(12, 'Five.org/%41', 'https', false, 'manual'), (13, 'five.org/A', 'https', false, 'manual'),
		(14, 'alone.org', 'https', false, 'manual'), (15, 'one.org/A', 'https', false, 'manual'), (16, NULL, NULL, false, 'manual'),
		(17, 'six.org/?utm_id=1', NULL, false, 'manual'), (18, 'six.org', 'https', false, 'manual'),
		(19, 'seven.org:80', 'http', false, 'manual'), (20, 'seven.org.', 'http', false, 'manual')`)
	require.Equal(t, []string{
		`[invisible_characters] 2 8 "https://four.org\u200b" 9 "https://four.org"`,
		`[punycode] 2 10 "https://MÜNCHEN.example" 11 "https://münchen.example"`,
		`[percent_encoding] 2 6 "ftp://three.org/%41" 7 "three.org/A"`,
		`[tracking_parameters] 2 17 "six.org/?utm_id=1" 18 "https://six.org"`,
		`[empty_query] 2 1 "https://one.org/a?" 2 "https://one.org/a/"`,
		`[host_case www] 3 3 "http://www.two.org" 4 "https://two.org" 5 "WWW.Two.org"`,
		`[host_case percent_encoding] 2 12 "https://Five.org/%41" 13 "https://five.org/A"`,
		`[trailing_dot default_port] 2 19 "http://seven.org:80" 20 "http://seven.org."`,
	}, duplicatesIn(t, b.Service))

	stopped := errors.New("stopped")
	err := b.EachLikelyDuplicates(t.Context(), func(int64, int64) {}, func(submissions.LikelyDuplicates) error { return stopped })
	require.ErrorIs(t, err, stopped)
}

// More URLs than fit into one page and into the memory of the sort are compared, and a group of any size is counted.
func TestLikelyDuplicatesOfMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `INSERT INTO urls (id, url, source)
		SELECT n, repeat('long', 150) || '.org/' || n, 'manual' FROM generate_series(1, 20000) AS n;
		INSERT INTO urls (id, url, source) SELECT 100000 + n, 'x.org/?utm_id=' || n, 'manual' FROM generate_series(1, 1500) AS n;
		INSERT INTO urls (id, url, source) VALUES (1000000, repeat('long', 150) || '.ORG/7', 'manual')`)
	long := fmt.Sprintf("%0600d", 0)
	groups := duplicatesIn(t, b.Service)
	require.Len(t, groups, 2)
	require.Len(t, groups[0], len(`[host_case] 2 7 ".org/7" 1000000 ".ORG/7"`)+2*len(long))
	require.Equal(t, `[tracking_parameters] 1500 100001 "x.org/?utm_id=1" 100002 "x.org/?utm_id=2" 100003 "x.org/?utm_id=3" and 997`, groups[1])
	require.Equal(t, 1000, submissions.MostListed)
	require.Equal(t, "host_case", urlform.HostCase.String())
}
