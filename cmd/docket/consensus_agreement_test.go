package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/api"
	"docket/internal/dbtest"
)

func TestAgreementCommand(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	s.exec(t, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 20) AS n;
		INSERT INTO batches (id, strategy, status) VALUES (4, 'manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (4, 1), (4, 2);
		INSERT INTO annotation__url_type__auto (url_id, relevant) SELECT n, n > 10 FROM generate_series(1, 20) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT url, by,
			CASE WHEN url <= 10 THEN 'not relevant' WHEN url + by > 21 THEN 'meta url' ELSE 'data source' END::url_type
			FROM generate_series(1, 20) AS url, generate_series(1, 2) AS by`)

	text, _ := s.succeed(t, "consensus", "agreement", "--replicates", "50")
	require.Regexp(t, `^URL type: 40 answers of 2 users and 0 sessions about 20 URLs, 20 of them with two or more answers; 3 values
  raw agreement         0\.950  0\.\d{3} to 1\.000
  Fleiss' kappa         0\.9\d\d  0\.\d{3} to 1\.000
  Krippendorff's alpha  0\.9\d\d  0\.\d{3} to 1\.000
  Gwet's AC1            0\.9\d\d  0\.\d{3} to 1\.000
  Cohen's kappa, mean   0\.9\d\d  0\.\d{3} to 1\.000
  pairs of users with 10 or more URLs in common: 1, from 0\.9\d\d to 0\.9\d\d
  users sided with a robot in 40 of 40 answers \(100\.0 %\)

agency: 0 answers .*
  raw agreement         -  no URL has the answers of two annotators
`, text)

	object, _ := s.succeed(t, "consensus", "agreement", "--json", "--pairs", "--batch", "4", "--min-common", "2")
	var wire struct {
		api.AgreementResponse
		Pairs []agreedPair `json:"pairs"`
	}
	require.NoError(t, json.Unmarshal([]byte(object), &wire))
	require.Equal(t, api.AttributeAgreementAttribute("url_type"), wire.Attributes[0].Attribute)
	require.Equal(t, int32(2), wire.Attributes[0].Urls)
	require.Equal(t, "all answers are the same value", *wire.Attributes[0].KrippendorffAlpha.Reason)
	require.Equal(t, []agreedPair{{
		Attribute: "url_type", Users: [2]int32{1, 2}, CommonURLs: 2, Raw: 1, Reason: wire.Attributes[0].CohenKappa.Mean.Reason,
	}}, wire.Pairs)

	require.Contains(t, s.fail(t, 1, "consensus", "agreement", "--batch", "5"), "docket: batch not found: 5")
	for _, wrong := range [][]string{{"--pairs"}, {"--min-common", "0"}, {"--replicates", "-1"}, {"--batch", "9999999999"}} {
		s.fail(t, 2, append([]string{"consensus", "agreement"}, wrong...)...)
	}
}
