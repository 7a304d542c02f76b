package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/urlform"
)

// The groups are printed under their differences, as text and as JSON, and nothing is changed.
func TestURLsDuplicates(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	none, _ := s.succeed(t, "urls", "duplicates")
	require.Equal(t, "0 groups, 0 URLs\n", none)

	s.exec(t, `INSERT INTO urls (id, url, scheme, source) VALUES (1, 'www.one.org', 'https', 'collector'), (2, 'one.org', 'http', 'collector'),
		(3, 'www.two.org', NULL, 'collector'), (4, 'two.org', 'https', 'collector'), (5, 'three.org' || chr(8203), 'https', 'collector'),
		(6, 'Three.org', 'https', 'collector'), (7, 'other.org', 'https', 'collector')`)
	text, _ := s.succeed(t, "urls", "duplicates")
	require.Equal(t, strings.Join([]string{
		"www.:",
		"         1  https://www.one.org",
		"         2  http://one.org",
		"",
		"         3  www.two.org",
		"         4  https://two.org",
		"",
		"invisible characters at the ends, letter case of the host:",
		`         5  "https://three.org\u200b"`,
		"         6  https://Three.org",
		"",
		"3 groups, 6 URLs",
		"",
	}, "\n"), text)

	objects, _ := s.succeed(t, "urls", "duplicates", "--json")
	lines := strings.Split(strings.TrimSpace(objects), "\n")
	require.Len(t, lines, 3)
	require.JSONEq(t, `{"rules": ["www"], "count": 2, "urls": [{"url_id": 1, "url": "https://www.one.org"}, {"url_id": 2, "url": "http://one.org"}]}`, lines[0])
	var last likelyDuplicates
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &last))
	require.Equal(t, []string{"invisible_characters", "host_case"}, last.Rules)
	require.Equal(t, 7, s.count(t, "SELECT count(*) FROM urls"))
	for _, l := range urlform.Likenesses() {
		require.NotEmpty(t, shownLikeness[l], l)
	}
}
