package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/api"
	"docket/internal/dbtest"
)

func TestConsensusCommands(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	s.exec(t, `
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (5, 'Columbus Police', 'local');
		INSERT INTO urls (id, url, scheme, source) VALUES (17, 'one.org/a', 'https', 'manual');
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(101, 130) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT 17, n, 'meta url' FROM generate_series(1, 2) AS n;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (17, 1, 5);
		INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT u, n, 'not relevant' FROM generate_series(101, 130) AS u, generate_series(1, 2) AS n;
		INSERT INTO flag_url_validated (url_id, type, created_at) VALUES (101, 'not relevant', '2026-01-31 12:00');
		INSERT INTO flag_url_auto_validated (url_id) VALUES (101);
		INSERT INTO consensus_facts (url_id, rule_version, threshold, anonymous_weight, url_type, users, sessions, votes, created_at)
			VALUES (101, 1, 2, 0.5, 'not relevant', 2, 0, '{"url_type": {"not relevant": {"users": 2, "sessions": 0}}}', '2026-01-31 12:00')`)

	want := `URL 17: https://one.org/a
status: not decided
rule 1: 2 votes make an agreement, a session's counts 0.5

votes of 2 users and 0 sessions:
  URL type: agreed
    meta url: 2 votes, by 2 users and 0 sessions
  agency: lacks 1 vote
    5 Columbus Police: 1 vote, by 1 user and 0 sessions
  location: lacks 2 votes
  record type: lacks 2 votes
  name: lacks 2 votes

needed:
  data source        lacks an agreement on URL type, agency, location, record type, name
  meta url           lacks an agreement on agency, location, name
  not relevant       lacks an agreement on URL type
  individual record  lacks an agreement on URL type, agency, location, name
  not found          never validated by agreement
  broken page        never validated by agreement
`
	for _, given := range []string{"17", "https://one.org/a/#top", "one.org/a"} {
		text, _ := s.succeed(t, "consensus", "explain", given)
		require.Equal(t, want, text, given)
	}
	text, _ := s.succeed(t, "consensus", "explain", "101")
	require.Contains(t, text, "validated: as not relevant, 2026-01-31 12:00:00, by agreement\n")
	require.Contains(t, text, "\nstored fact: not relevant\n  made 2026-01-31 12:00:00 by rule 1: 2 votes")
	require.True(t, strings.HasSuffix(text, "\n  from the same votes\n"), text)
	s.exec(t, `INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (101, 3, 'not relevant')`)
	text, _ = s.succeed(t, "consensus", "explain", "101")
	require.Contains(t, text, "\n  votes of 2 users and 0 sessions then:\n  URL type: agreed\n    not relevant: 2 votes, by 2 users")
	s.exec(t, `DELETE FROM annotation__url_type__user WHERE url_id = 101 AND user_id = 3`)
	object, _ := s.succeed(t, "consensus", "explain", "101", "--json")
	var wire api.Consensus
	require.NoError(t, json.Unmarshal([]byte(object), &wire))
	require.Equal(t, "not relevant", string(wire.Fact.Decision.URLType))
	for _, unknown := range []string{"18", "two.org", "no URL", "99999999999"} {
		status, _, message := s.run(t, "consensus", "explain", unknown)
		require.Equal(t, exitFailure, status, unknown)
		require.Contains(t, message, "docket: URL not found: "+unknown)
	}

	text, _ = s.succeed(t, "consensus", "simulate")
	require.Equal(t, shownDifferences, strings.Count(text, "simulated only: stored nothing, simulated not relevant\n"))
	require.Contains(t, text, "… (--all prints every one)\nrule 1: 2 votes make an agreement, a session's counts 0.5\n"+
		"31 URLs, 0 of them with an incomplete history; 62 answers\nvalidated: 30\n      30 not relevant\nanswers per fact: 2.00\n"+
		"      30 after 2 answers\ncompared with what is stored:\n       1 as stored\n")
	require.True(t, strings.HasSuffix(text, "\n29 differences\n"))
	text, _ = s.succeed(t, "consensus", "simulate", "--threshold", "3", "--anonymous-weight", "0.25", "--all")
	require.True(t, strings.HasPrefix(text, "URL 101: stored only: stored not relevant, simulated nothing\n"+
		"another rule: 3 votes make an agreement, a session's counts 0.25\n"), text)
	require.Contains(t, text, "\nvalidated: 0; by the current rule 30\nanswers per fact: 0.00; by the current rule 2.00\n")
	lines, _ := s.succeed(t, "consensus", "simulate", "--threshold", "3", "--json")
	require.Equal(t, 2, strings.Count(lines, "\n"))
	difference, result, _ := strings.Cut(lines, "\n")
	require.JSONEq(t, `{"difference": {"url_id": 101, "comparison": "stored only", "simulated": null, "stored":
		{"url_type": "not relevant", "agency_id": null, "location_id": null, "record_type": null, "name": null}}}`, difference)
	require.JSONEq(t, `{"simulation": {"rule": {"version": null, "threshold": 3, "anonymous_weight": 0.5}, "urls": 31, "answers": 62,
		"incomplete": 0, "validated": 0, "validated_by_type": {}, "answers_per_fact": 0, "facts_by_answers": {}, "differences": 1,
		"current": {"validated": 30, "answers_per_fact": 2},
		"comparisons": {"as stored": 0, "other values": 0, "stored only": 1, "simulated only": 0, "waiting": 0, "obstacle": 0,
		"validated otherwise, same": 0, "validated otherwise, other values": 0, "validated otherwise, undecided": 0}}}`, result)

	for _, bad := range []string{"0", "-1", "NaN", "Inf", "two"} {
		status, _, message := s.run(t, "consensus", "simulate", "--threshold="+bad)
		require.Equal(t, exitUsage, status, bad)
		require.Contains(t, message, "threshold", bad)
	}
	for _, bad := range []string{"-0.5", "NaN", "+Inf", ""} {
		status, _, message := s.run(t, "consensus", "simulate", "--anonymous-weight="+bad)
		require.Equal(t, exitUsage, status, bad)
		require.Regexp(t, "anonymous.(votes|weight)", message, bad)
	}
}
