package consensus_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
)

// validSource is everything about a URL that two annotators have answered source("N") about.
const validSource = "data source, 1; record type Stops; agency 1; location 2; name N"

func TestWhatIsWritten(t *testing.T) {
	t.Parallel()
	broken := annotation.Answer{URLType: annotation.BrokenPage, AgencyIDs: []int32{1}, LocationIDs: []int64{2}, NewName: new("N")}
	meta, record := source("N"), source("N")
	meta.URLType, meta.RecordType = annotation.MetaURL, nil
	record.URLType, record.RecordType = annotation.IndividualRecord, nil
	nameless, otherAgency := source("N"), source("N")
	nameless.NewName = nil
	otherAgency.AgencyIDs = []int32{2}
	irrelevant := annotation.Answer{URLType: annotation.NotRelevant}
	named := annotation.Answer{URLType: annotation.NotRelevant, NewName: new("N")}

	for name, test := range map[string]struct {
		answers []annotation.Answer
		want    string // nothing: not validated
	}{
		"data source":              {[]annotation.Answer{source("N"), source("N")}, validSource},
		"meta url":                 {[]annotation.Answer{meta, meta}, "meta url, 1; agency 1; location 2; name N"},
		"individual record":        {[]annotation.Answer{record, record}, "individual record, 1; agency 1; location 2; name N"},
		"not relevant":             {[]annotation.Answer{irrelevant, irrelevant}, "not relevant, 1"},
		"not relevant with a name": {[]annotation.Answer{named, named}, "not relevant, 1; name N"},
		// All answers are given before the decision: the third alone would make a fact.
		"surplus for not relevant": {
			[]annotation.Answer{source("N"), irrelevant, source("N"), irrelevant, irrelevant}, "not relevant, 1; name N",
		},
		"broken page":                 {[]annotation.Answer{broken, broken, broken}, ""},
		"no agreement on the name":    {[]annotation.Answer{source("N"), nameless, source("M")}, ""},
		"no agreement on the agency":  {[]annotation.Answer{source("N"), otherAgency}, ""},
		"agreement at the third vote": {[]annotation.Answer{source("N"), otherAgency, source("N")}, validSource},
		"tie between two agencies":    {[]annotation.Answer{source("N"), otherAgency, nameless, otherAgency}, ""},
		"no agreement on the type":    {[]annotation.Answer{source("N"), meta}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, decide := range []func(bundle, *testing.T){
				func(b bundle, t *testing.T) { b.drain(t) },
				func(b bundle, t *testing.T) {
					dbtest.Exec(t, b.pool, "DELETE FROM consensus_due")
					b.validateAll(t)
				},
			} {
				b := setup(t)
				for user, answer := range test.answers {
					b.submit(t, int32(user+1), 1, answer)
				}
				decide(b, t)
				require.Equal(t, test.want, b.text(t, everything, 1))
				b.requireExactQueue(t)
			}
		})
	}
}

// TestHalfVotes has sessions complete a consensus, which count half.
func TestHalfVotes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 3 {
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 1, source("N")))
		require.Zero(t, *b.woken, "%d sessions", n+1)
	}
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 1, source("N")))
	require.Equal(t, 1, *b.woken)
	require.Equal(t, 1, b.drain(t))
	require.Equal(t, "0 users, 4 sessions", b.text(t, "SELECT users || ' users, ' || sessions || ' sessions' FROM consensus_facts"))
	require.Equal(t, validSource, b.text(t, everything, 1))
}

// TestTransferValidates turns two half votes of one session into whole ones of a user.
// TestDecimalWeights has three votes of 0.7 reach a threshold of 2.1, which their sum in binary fractions misses.
func TestDecimalWeights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `CREATE OR REPLACE VIEW consensus_rule AS
		SELECT 2 AS version, 2.1::float8 AS threshold, 0.7::float8 AS anonymous_weight`)
	for _, urlID := range []int32{1, 2} {
		for range 3 {
			answer := annotation.Answer{URLType: annotation.NotRelevant}
			require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), urlID, answer))
		}
		if urlID == 1 {
			require.Equal(t, 1, b.drain(t))
		}
	}
	require.Equal(t, "not relevant, 1", b.text(t, everything, 1))
	dbtest.Exec(t, b.pool, "DELETE FROM consensus_due")
	_, result := b.validateAll(t)
	require.Equal(t, "1 URL validated", result)
}

func TestTransferValidates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.New()
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, source("N")))
	b.submit(t, 1, 1, source("N"))
	require.Zero(t, *b.woken)
	_, err := b.service.TransferSession(t.Context(), 2, session)
	require.NoError(t, err)
	require.Equal(t, 1, *b.woken)
	require.Equal(t, 1, b.drain(t))
	require.Equal(t, validSource, b.text(t, everything, 1))
	b.requireExactQueue(t)

	_, err = b.service.TransferSession(t.Context(), 2, uuid.New())
	require.NoError(t, err)
	require.Equal(t, 1, *b.woken, "nothing was transferred")
}

// TestSuspendedURLIsValidated checks that a suspension does not exclude a URL.
func TestSuspendedURLIsValidated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unknown := annotation.Answer{URLType: annotation.DataSource, AgencyNotFound: true}
	b.submit(t, 1, 1, unknown)
	b.submit(t, 2, 1, unknown)
	require.Equal(t, "1 URL suspended", b.suspend(t))
	b.drain(t)
	for user := range int32(3) {
		b.submit(t, user+3, 1, annotation.Answer{URLType: annotation.NotRelevant})
	}
	b.drain(t)
	require.Equal(t, "not relevant, 1", b.text(t, everything, 1))
	b.requireExactQueue(t)
}

func TestImpossible(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, want, report string
	}{
		"equal": {
			`INSERT INTO url_record_type (url_id, record_type) VALUES (1, 'Stops');
			INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (1, 1), (1, 2);
			INSERT INTO link_locations__urls (url_id, location_id) VALUES (1, 1), (1, 2)`,
			"data source, 1; record type Stops; agency 1,2; location 1,2; name N", "",
		},
		"another record type": {
			"INSERT INTO url_record_type (url_id, record_type) VALUES (1, 'Other')", "record type Other",
			`the confirmed record type is "Other", and "Stops" was agreed on`,
		},
		"another agency": {
			"INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (1, 2)", "agency 2",
			"the confirmed agencies are 2, and 1 was agreed on",
		},
		"another location": {
			"INSERT INTO link_locations__urls (url_id, location_id) VALUES (1, 1)", "location 1",
			"the confirmed locations are 1, and 2 was agreed on",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, test.before)
			for user := range int32(2) {
				b.submit(t, user, 1, source("N"))
				b.submit(t, user, 2, source("N"))
			}
			b.drain(t)
			require.Equal(t, test.want, b.text(t, everything, 1))
			require.NotEmpty(t, b.text(t, everything, 2), "another URL is not prevented")
			report := "SELECT coalesce(string_agg(task_id || ' ' || error, ';'), '') FROM url_task_error"
			b.requireExactQueue(t)
			if test.report == "" {
				require.Empty(t, b.text(t, report))
				return
			}
			require.Equal(t, "1 "+test.report, b.text(t, report))

			b.submit(t, 3, 1, source("N"))
			b.drain(t)
			require.Equal(t, "1 "+test.report, b.text(t, report), "the same report is not repeated by each answer")
			require.Equal(t, "1", b.text(t, "SELECT count(*)::text FROM tasks"))
			task, result := b.validateAll(t)
			require.Equal(t, "0 URLs validated, 1 cannot be validated because of what is stored about them", result)
			require.Equal(t, "2 "+test.report, b.text(t, report))
			require.EqualValues(t, 2, task)

			dbtest.Exec(t, b.pool, "DELETE FROM url_record_type WHERE url_id = 1; DELETE FROM link_agencies__urls WHERE url_id = 1; "+
				"DELETE FROM link_locations__urls WHERE url_id = 1")
			_, result = b.validateAll(t)
			require.Equal(t, "1 URL validated", result)
			require.Equal(t, validSource, b.text(t, everything, 1))
			require.Empty(t, b.text(t, report))
			b.requireExactQueue(t)
		})
	}
}

// TestOutdatedReport removes a report about a URL about which annotators do not agree any more.
func TestOutdatedReport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (1, 2)")
	other := source("M")
	for user := range int32(2) {
		b.submit(t, user, 1, source("N"))
	}
	b.drain(t)
	for user := range int32(2) {
		b.submit(t, user+2, 1, other)
	}
	b.validateAll(t)
	require.Equal(t, "0", b.text(t, "SELECT count(*)::text FROM url_task_error"))
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	noAgency := annotation.Answer{URLType: annotation.DataSource, AgencyNotFound: true}
	noLocation := annotation.Answer{URLType: annotation.DataSource, LocationNotFound: true}
	for url, answers := range map[int32][]annotation.Answer{
		1: {noAgency, noAgency}, 2: {noLocation, noLocation}, 3: {noAgency, noLocation}, 4: {noAgency, noAgency}, 5: {noAgency},
	} {
		for user, answer := range answers {
			b.submit(t, int32(user+1), url, answer)
		}
	}
	dbtest.Exec(t, b.pool, "INSERT INTO flag_url_validated (url_id, type) VALUES (4, 'broken page')")
	b.reconcile(t)
	require.Equal(t, "2 URLs suspended", b.suspend(t))
	require.Equal(t, "1,2 1,2", b.text(t, `SELECT concat_ws(' ',
		(SELECT string_agg(url_id::text, ',' ORDER BY url_id) FROM flag_url_suspended),
		(SELECT string_agg(url_id::text, ',' ORDER BY url_id) FROM link_tasks__urls))`))
	b.requireExactQueue(t)
	require.Equal(t, "0 URLs suspended", b.suspend(t))
}
