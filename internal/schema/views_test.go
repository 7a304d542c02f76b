package schema_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
	sqlfiles "docket/sql"
)

// views has, for each plain view of sql/schema/70_views.sql, rows of the tables and the rows that the view must return.
var views = map[string]struct {
	setup, query string
	want         []string
}{
	"unvalidated_url_view": {
		setup: `
INSERT INTO urls (id, url, source) VALUES
    (1, 'validated.org', 'manual'), (2, 'open.org', 'manual'), (3, 'broken.org', 'manual'), (4, 'suspended.org', 'manual');
INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'not relevant');
INSERT INTO flag_url_suspended (url_id) VALUES (4)`,
		query: `SELECT url_id FROM unvalidated_url_view ORDER BY 1`,
		want:  []string{"2", "3", "4"},
	},
	"locations_expanded": {
		setup: `
INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('XX', NULL);
INSERT INTO counties (fips, name, state_id) VALUES ('42003', 'Allegheny', 1), ('99001', 'Nowhere', 2), ('42999', NULL, 1), ('00001', 'Stateless', NULL);
INSERT INTO localities (name, county_id) VALUES ('Pittsburgh', 1), ('Lost', 3), ('Ghost', 2);
INSERT INTO locations (id, type, state_id, county_id, locality_id) OVERRIDING SYSTEM VALUE VALUES
    (1, 'National', NULL, NULL, NULL), (2, 'State', 1, NULL, NULL), (3, 'County', 1, 1, NULL), (4, 'Locality', 1, 1, 1),
    (5, 'State', 2, NULL, NULL), (6, 'County', 2, 2, NULL), (7, 'County', 1, 3, NULL), (8, 'Locality', 1, 3, 2),
    (9, 'Locality', 2, 2, 3), (10, 'County', NULL, 4, NULL)`,
		query: `SELECT id, type, state_name, state_iso, county_name, county_fips, locality_name, locality_id, state_id, county_id,
    display_name, full_display_name FROM locations_expanded ORDER BY 1, 2`,
		want: []string{
			"1|National|null|null|null|null|null|null|null|null|United States|United States",
			"2|State|Pennsylvania|PA|null|null|null|null|1|null|Pennsylvania|Pennsylvania",
			"3|County|Pennsylvania|PA|Allegheny|42003|null|null|1|1|Allegheny|Allegheny, Pennsylvania",
			"4|Locality|Pennsylvania|PA|Allegheny|42003|Pittsburgh|1|1|1|Pittsburgh|Pittsburgh, Allegheny, Pennsylvania",
			"5|State|null|XX|null|null|null|null|2|null|null|null",
			"6|County|null|XX|Nowhere|99001|null|null|2|2|Nowhere|Nowhere, ",
			"7|County|Pennsylvania|PA|null|42999|null|null|1|3|null|, Pennsylvania",
			"8|Locality|Pennsylvania|PA|null|42999|Lost|2|1|3|Lost|Lost, , Pennsylvania",
			"9|Locality|null|XX|Nowhere|99001|Ghost|3|2|2|Ghost|Ghost, Nowhere, ",
			"10|County|null|null|Stateless|00001|null|null|null|4|Stateless|Stateless, ",
		},
	},
	"dependent_locations": {
		setup: `
INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey');
INSERT INTO counties (fips, name, state_id) VALUES ('42003', 'Allegheny', 1), ('42005', 'Armstrong', 1), ('34001', 'Atlantic', 2);
INSERT INTO localities (name, county_id) VALUES ('Pittsburgh', 1), ('Ford City', 2);
INSERT INTO locations (id, type, state_id, county_id, locality_id) OVERRIDING SYSTEM VALUE VALUES
    (1, 'National', NULL, NULL, NULL), (2, 'State', 1, NULL, NULL), (3, 'State', 2, NULL, NULL), (4, 'County', 1, 1, NULL),
    (5, 'County', 1, 2, NULL), (6, 'County', 2, 3, NULL), (7, 'Locality', 1, 1, 1), (8, 'Locality', 1, 2, 2)`,
		query: `SELECT parent_location_id, dependent_location_id FROM dependent_locations ORDER BY 1, 2`,
		want: []string{
			"1|2", "1|3", "1|4", "1|5", "1|6", "1|7", "1|8", // the nation: all others
			"2|4", "2|5", "2|7", "2|8", // a state: its counties and localities
			"3|6",
			"4|7", // a county: its localities
			"5|8",
		},
	},
	"meta_url_view": {
		setup: `
INSERT INTO urls (id, url, source) VALUES (1, 'meta.org', 'manual'), (2, 'data.org', 'manual'), (3, 'open.org', 'manual');
INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'meta url'), (2, 'data source');
INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (3, 7, 'meta url')`,
		query: `SELECT url_id FROM meta_url_view ORDER BY 1`,
		want:  []string{"1"},
	},
	"url_unknown_agencies_view": {
		setup: `
INSERT INTO urls (id, url, source) VALUES
    (1, 'none.org', 'manual'), (2, 'in.vain', 'manual'), (3, 'found.org', 'manual'), (4, 'half.found', 'manual');
INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete');
INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found) VALUES
    (1, 2, 'homepage_match', false), (1, 2, 'muckrock_match', false), (1, 3, 'homepage_match', true),
    (1, 4, 'homepage_match', false), (1, 4, 'muckrock_match', true)`,
		query: `SELECT id FROM url_unknown_agencies_view ORDER BY 1`,
		want:  []string{"2"},
	},
	"url_task_count_1_day": {
		setup: tasks,
		query: `SELECT task_type, count FROM url_task_count_1_day ORDER BY 1, 2`,
		want:  []string{"HTML|3", "Screenshot|1"},
	},
	"url_task_count_1_week": {
		setup: tasks,
		query: `SELECT task_type, count FROM url_task_count_1_week ORDER BY 1, 2`,
		want:  []string{"HTML|5", "Screenshot|1", "Location ID|1"},
	},
	"integrity__incomplete_data_sources_view": {
		setup: outcomes + `
INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) SELECT id, id FROM urls WHERE id < 6;
INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) VALUES (NULL, 99);
INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source'), (2, 'meta url'), (4, 'data source'), (5, 'data source');
INSERT INTO url_record_type (url_id, record_type) SELECT id, 'Stops' FROM urls WHERE id <> 4;
INSERT INTO link_agencies__urls (url_id, agency_id) SELECT id, 1 FROM urls WHERE id <> 5`,
		query: `SELECT url_id FROM integrity__incomplete_data_sources_view ORDER BY 1`,
		want:  []string{"2", "3", "4", "5"}, // another flag, none, no record type, no agency
	},
	"integrity__incomplete_meta_urls_view": {
		setup: outcomes + `
INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) SELECT id, id FROM urls WHERE id < 5;
INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) VALUES (NULL, 99);
INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'meta url'), (2, 'data source'), (4, 'meta url');
INSERT INTO link_agencies__urls (url_id, agency_id) SELECT id, 1 FROM urls WHERE id <> 4`,
		query: `SELECT url_id FROM integrity__incomplete_meta_urls_view ORDER BY 1`,
		want:  []string{"2", "3", "4"}, // another flag, none, no agency; a record type is not required
	},
	"integrity__non_federal_agencies_no_location_view": {
		setup: `
INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
INSERT INTO locations (type, state_id) VALUES ('State', 1);
INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'state'), (2, 'B', 'state'), (3, 'C', 'federal'), (4, 'D', 'federal'), (5, 'E', 'tribal');
INSERT INTO link_agencies__locations (agency_id, location_id) VALUES (1, 1), (3, 1)`,
		query: `SELECT agency_id FROM integrity__non_federal_agencies_no_location_view ORDER BY 1`,
		want:  []string{"2", "5"},
	},
	"integrity__url_both_data_source_and_meta_url_view": {
		setup: outcomes + `
INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) VALUES (1, 1), (2, 2), (NULL, 3);
INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) VALUES (2, 1), (3, 2), (NULL, 3)`,
		query: `SELECT url_id FROM integrity__url_both_data_source_and_meta_url_view ORDER BY 1`,
		want:  []string{"2"},
	},
}

// tasks of different ages, with the number of their URLs.
const tasks = `
INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 3) AS n;
INSERT INTO tasks (id, task_type, task_status, updated_at) VALUES
    (1, 'HTML', 'complete', now() - interval '1 hour'), (2, 'HTML', 'error', now() - interval '23 hours'),
    (3, 'HTML', 'complete', now() - interval '25 hours'), (4, 'HTML', 'complete', now() - interval '8 days'),
    (5, 'Screenshot', 'in-process', now()), (6, 'Location ID', 'complete', now() - interval '6 days'),
    (7, 'URL Probe', 'complete', now());
INSERT INTO link_tasks__urls (task_id, url_id) VALUES (1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3), (5, 1), (6, 3)`

const outcomes = `
INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local');
INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 7) AS n;`

func TestViews(t *testing.T) {
	t.Parallel()
	for name, view := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			require.Empty(t, records(t, pool, view.query), "without rows")
			_, err := pool.Exec(t.Context(), view.setup)
			require.NoError(t, err)
			require.Equal(t, view.want, records(t, pool, view.query))
		})
	}
}

// records returns the rows of a query with "|" between the columns.
func records(t *testing.T, pool *postgres.Pool, query string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), query, pgx.QueryResultFormats{pgx.TextFormatCode})
	require.NoError(t, err)
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var columns []string
		for _, value := range row.RawValues() {
			column := "null"
			if value != nil {
				column = string(value)
			}
			columns = append(columns, column)
		}
		return strings.Join(columns, "|"), nil
	})
	require.NoError(t, err)
	return records
}

func TestEveryViewIsTested(t *testing.T) {
	t.Parallel()
	source, err := fs.ReadFile(sqlfiles.Schema, "70_views.sql")
	require.NoError(t, err)
	created := regexp.MustCompile(`(?m)^CREATE VIEW (\w+)`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, created, len(views))
	for _, view := range created {
		require.Contains(t, views, view[1])
	}
}
