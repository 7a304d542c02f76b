-- Rows in every table, inserted while the triggers exist. They satisfy all constraints and break rules that no constraint
-- enforces: a place with two locations, one with none, several errors of one URL, repeated votes without an agency.

INSERT INTO us_states (state_iso, state_name) VALUES
    ('PA', 'Pennsylvania'), ('CA', 'California'), ('TX', 'Texas'), ('GU', NULL), ('WY', 'Wyoming');

INSERT INTO counties (fips, name, state_id, lat, lng, population)
SELECT c.fips, c.name, s.id, c.lat, c.lng, c.population
FROM (VALUES
    ('42003', 'Allegheny', 'PA', 40.47, -79.98, 1250578), ('42101', 'Philadelphia', 'PA', 40.01, -75.13, 1603797),
    ('06037', 'Los Angeles', 'CA', 34.32, -118.22, 10014009), ('06075', 'San Francisco', 'CA', 37.73, -123.03, 873965),
    ('48201', 'Harris', 'TX', 29.86, -95.39, 4731145), ('48113', 'Dallas', 'TX', 32.77, -96.78, 2613539)
) AS c (fips, name, iso, lat, lng, population)
JOIN us_states s ON s.state_iso = c.iso
ORDER BY c.fips;

INSERT INTO localities (name, county_id)
SELECT l.name, c.id
FROM (VALUES
    ('Pittsburgh', '42003'), ('Monroeville', '42003'), ('Philadelphia', '42101'), ('Los Angeles', '06037'),
    ('Long Beach', '06037'), ('San Francisco', '06075'), ('Houston', '48201'), ('Dallas', '48113')
) AS l (name, fips)
JOIN counties c ON c.fips = l.fips
ORDER BY l.name;

INSERT INTO locations (type) VALUES ('National');

-- Monroeville's location was also inserted by hand; Wyoming is older than the trigger.
INSERT INTO locations (type, state_id, county_id, locality_id)
SELECT l.type, l.state_id, l.county_id, l.locality_id
FROM locations l JOIN localities p ON p.id = l.locality_id
WHERE p.name = 'Monroeville';
DELETE FROM locations l USING us_states s WHERE s.id = l.state_id AND s.state_iso = 'WY';

INSERT INTO agencies (name, agency_type, jurisdiction_type) VALUES
    ('Pittsburgh Bureau of Police - PA', 'law enforcement', 'local'),
    ('Allegheny County Sheriff''s Office - PA', 'law enforcement', 'county'),
    ('Pennsylvania State Police - PA', 'law enforcement', 'state'),
    ('Philadelphia Police Department - PA', 'law enforcement', 'local'),
    ('Los Angeles Police Department - CA', 'law enforcement', 'local'),
    ('Los Angeles County Superior Court - CA', 'court', 'county'),
    ('San Francisco Police Department - CA', 'law enforcement', 'local'),
    ('Houston Police Department - TX', 'law enforcement', 'local'),
    ('Harris County Jail - TX', 'incarceration', 'county'),
    ('Dallas Area Rapid Transit Police - TX', 'law enforcement', 'transit'),
    ('United States Marshals Service', 'law enforcement', 'federal');

INSERT INTO link_agencies__locations (agency_id, location_id)
SELECT a.id, min(l.id)
FROM (VALUES
    ('Pittsburgh%', 'Pittsburgh, Allegheny, Pennsylvania'), ('Allegheny%', 'Allegheny, Pennsylvania'),
    ('Pennsylvania%', 'Pennsylvania'), ('Philadelphia%', 'Philadelphia, Philadelphia, Pennsylvania'),
    ('Los Angeles Police%', 'Los Angeles, Los Angeles, California'), ('Los Angeles County%', 'Los Angeles, California'),
    ('San Francisco%', 'San Francisco, San Francisco, California'), ('Houston%', 'Houston, Harris, Texas'),
    ('Harris%', 'Harris, Texas'), ('Dallas%', 'Dallas, Dallas, Texas'), ('United States Marshals%', 'United States')
) AS given (agency, place)
JOIN agencies a ON a.name LIKE given.agency
JOIN locations_expanded l ON l.full_display_name = given.place
GROUP BY a.id;

INSERT INTO batches (strategy, status, compute_time, parameters, user_id, date_generated) VALUES
    ('auto_googler', 'ready to label', 12.5, '{"queries": ["police stops"]}', 1, '2025-03-01 08:00:00'),
    ('ckan', 'ready to label', 4.25, '{"url": "https://data.example.gov"}', 2, '2025-04-11 09:30:00.123456'),
    ('common_crawler', 'error', NULL, NULL, 1, '2025-05-20 10:00:00'),
    ('manual', 'ready to label', NULL, '{"name": "by hand"}', NULL, '2025-06-30 11:00:00'),
    ('muckrock_simple_search', 'aborted', 0.5, '{}', 3, '2025-07-04 12:00:00');

INSERT INTO tasks (task_type, task_status, updated_at)
SELECT types.task_type, states.task_status, '2025-08-01 00:00:00'::timestamp + n * interval '1 hour'
FROM generate_series(1, 36) AS n
JOIN (SELECT row_number() OVER () AS i, t AS task_type FROM unnest(enum_range(NULL::task_type)) AS t) AS types ON types.i = n
JOIN (SELECT row_number() OVER () AS i, t AS task_status FROM unnest(enum_range(NULL::task_status_enum)) AS t) AS states
    ON states.i = 1 + n % 5;

-- 240 URLs of all forms: some never had a scheme, some ended in a slash, one has no text at all.
INSERT INTO urls (url, scheme, trailing_slash, status, source, name, description, collector_metadata, created_at, updated_at)
SELECT
    'www.' || (ARRAY['pittsburghpa', 'lapdonline', 'houstontx', 'phillypolice', 'sfgov'])[1 + n % 5] || '.gov/'
        || (ARRAY['stops', 'policies', 'budget?year=' || (1990 + n), 'press-releases', 'jail-roster'])[1 + n % 5] || '/' || n,
    (ARRAY['https', 'http', NULL])[1 + n % 3],
    n % 4 = 0,
    CASE WHEN n % 40 = 0 THEN 'duplicate' WHEN n % 40 = 1 THEN 'broken' ELSE 'ok' END::url_status,
    (enum_range(NULL::url_source))[1 + n % 5],
    CASE WHEN n % 7 = 0 THEN 'Page ' || n END,
    CASE WHEN n % 6 = 0 THEN 'What page ' || n || ' is about' END,
    CASE WHEN n % 5 = 0 THEN json_build_object('rank', n, 'query', 'police "records"') END,
    '2025-01-01 00:00:00'::timestamp + n * interval '7 hours',
    CASE WHEN n % 50 <> 3 THEN '2025-06-01 00:00:00.5'::timestamp + n * interval '1 hour' END
FROM generate_series(1, 240) AS n;
INSERT INTO urls (url, status, source) VALUES (NULL, 'ok', 'collector');

-- Facts about the pages.

INSERT INTO url_html_content (url_id, content_type, content)
SELECT u.id, c, c || ' of page ' || u.id FROM urls u, unnest(enum_range(NULL::url_html_content_type)) AS c WHERE u.id % 4 = 0;

INSERT INTO url_compressed_html (url_id, compressed_html)
SELECT id, decode(md5((id / 8)::text), 'hex') FROM urls WHERE id % 4 = 0;

INSERT INTO url_screenshot (url_id, content, file_size)
SELECT id, decode('52494646', 'hex') || decode(md5(id::text), 'hex'), 20 FROM urls WHERE id % 6 = 0;

INSERT INTO url_web_metadata (url_id, accessed, status_code, content_type, error_message)
SELECT
    id, id % 5 <> 0, CASE WHEN id % 5 <> 0 THEN (ARRAY[200, 301, 404, 503])[1 + id % 4] END, 'text/html',
    CASE WHEN id % 5 = 0 THEN 'no answer' END
FROM urls WHERE id % 2 = 0;

INSERT INTO url_scrape_info (url_id, status)
SELECT id, CASE WHEN id % 3 = 0 THEN 'error' ELSE 'success' END::scrape_status FROM urls WHERE id % 2 = 0;

INSERT INTO url_optional_data_source_metadata (
    url_id, record_formats, data_portal_type, supplying_entity, coverage_start, coverage_end, agency_supplied,
    agency_aggregation, update_method, retention_schedule, access_types, submission_notes
)
SELECT
    id, ARRAY['CSV', 'PDF'], 'Socrata', 'the city', '2015-01-01', '2024-12-31', true, 'local', 'Overwrite', '> 10 years',
    ARRAY['Webpage', 'API']::access_type_enum[], 'seen ' || id
FROM urls WHERE id % 10 = 0;

INSERT INTO url_task_error (url_id, task_id, task_type, error)
SELECT u.id, t.id, t.task_type, 'timeout'
FROM urls u JOIN tasks t ON t.task_type IN ('Screenshot', 'HTML', 'URL Probe')
WHERE u.id % 9 = 0;

INSERT INTO url_checked_for_duplicate (url_id) SELECT id FROM urls WHERE id % 2 = 1;
INSERT INTO flag_root_url (url_id) SELECT id FROM urls WHERE id % 30 = 0;
INSERT INTO flag_url_checked_for_internet_archive (url_id, success) SELECT id, id % 2 = 0 FROM urls WHERE id % 3 = 0;
INSERT INTO url_internet_archives_probe_metadata (url_id, archive_url, digest, length)
SELECT id, 'web.archive.org/' || id, md5(id::text), id * 100 FROM urls WHERE id % 6 = 0;
INSERT INTO url_internet_archives_save_metadata (url_id) SELECT id FROM urls WHERE id % 12 = 0;
INSERT INTO link_urls_redirect_url (source_url_id, destination_url_id) SELECT id, id + 1 FROM urls WHERE id % 25 = 0 AND id < 240;
INSERT INTO link_urls_root_url (url_id, root_url_id) SELECT id, 30 FROM urls WHERE id BETWEEN 31 AND 39;
INSERT INTO link_user_submitted_urls (url_id, user_id) SELECT id, 1 + id % 3 FROM urls WHERE id % 17 = 0;

-- Batches, duplicates, logs.

INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1 + id % 2, id FROM urls WHERE id <= 150;
INSERT INTO link_batches__urls (batch_id, url_id) SELECT 4, id FROM urls WHERE id BETWEEN 151 AND 160;
INSERT INTO link_batches__locations (batch_id, location_id) SELECT 1, min(id) FROM locations WHERE type = 'County';
INSERT INTO link_agencies__batches (agency_id, batch_id) SELECT min(id), 2 FROM agencies;
INSERT INTO duplicates (batch_id, original_url_id) VALUES (1, 5), (1, 5), (2, 6);
INSERT INTO logs (batch_id, log) SELECT 1 + n % 5, 'step ' || n FROM generate_series(1, 20) AS n;
INSERT INTO missing (place_id, record_type, batch_id, strategy_used) VALUES (1, 'Stops', 1, 'auto_googler'), (2, 'Other', NULL, 'ckan');
INSERT INTO backlog_snapshot (count_pending_total, created_at)
SELECT 100 + n, '2025-01-31'::timestamp + n * interval '1 day' FROM generate_series(1, 60) AS n;

-- Answers of seven signed-in annotators, the last one only about agencies without an id.

INSERT INTO user_url_type_suggestions (url_id, user_id, type)
SELECT u.id, n, (enum_range(NULL::url_type))[1 + (u.id / 3) % 6]
FROM urls u, generate_series(1, 6) AS n WHERE u.id % 11 <> 0 AND (u.id + n) % 5 = 0;

INSERT INTO user_record_type_suggestions (url_id, user_id, record_type)
SELECT url_id, user_id, (enum_range(NULL::record_type))[1 + url_id % 35] FROM user_url_type_suggestions WHERE type = 'data source';

INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id)
SELECT s.url_id, s.user_id, 23191 + (s.url_id + n) % 11
FROM user_url_type_suggestions s, generate_series(0, 1) AS n
WHERE s.type IN ('data source', 'meta url') AND (n = 0 OR s.user_id = 2);
INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id, is_new) VALUES (77, 7, NULL, true), (77, 7, NULL, true), (88, 7, NULL, NULL);

INSERT INTO user_location_suggestions (url_id, user_id, location_id)
SELECT s.url_id, s.user_id, 6 + s.url_id % 9
FROM user_url_type_suggestions s WHERE s.type IN ('data source', 'meta url', 'individual record');

INSERT INTO url_name_suggestions (url_id, suggestion, source)
SELECT id, 'Page ' || id, (ARRAY['HTML Metadata Title', 'User', NULL])[1 + id % 3]::suggestion_source_enum FROM urls WHERE id % 2 = 0;
INSERT INTO url_name_suggestions (url_id, suggestion, source) SELECT id, repeat('long ', 20), 'User' FROM urls WHERE id % 60 = 0;
INSERT INTO link_user_name_suggestions (suggestion_id, user_id)
SELECT s.id, n FROM url_name_suggestions s, generate_series(1, 4) AS n WHERE (s.id + n) % 3 = 0;

INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id) SELECT user_id, url_id FROM user_url_type_suggestions WHERE url_id % 13 = 0;
INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) SELECT user_id, url_id FROM user_url_type_suggestions WHERE url_id % 14 = 0;
INSERT INTO reviewing_user_url (user_id, url_id) SELECT 9, id FROM urls WHERE id % 45 = 0;

-- Suggestions by robots; confidences of locations exceed every scale.

INSERT INTO url_auto_agency_id_subtasks (task_id, url_id, type, agencies_found, detail)
SELECT 4, u.id, m, u.id % 3 <> 0, CASE WHEN u.id % 3 = 0 THEN 'retrieval error' ELSE 'no details' END::agency_id_subtask_detail_code
FROM urls u, unnest(ARRAY['homepage_match', 'nlp_location_match', 'batch_link']::agency_auto_suggestion_method[]) AS m
WHERE u.id % 2 = 0 OR m = 'batch_link' AND u.id % 5 = 0;
INSERT INTO agency_id_subtask_suggestions (subtask_id, agency_id, confidence)
SELECT id, 23191 + id % 11, id % 101 FROM url_auto_agency_id_subtasks WHERE agencies_found;

INSERT INTO auto_location_id_subtasks (task_id, url_id, type, locations_found)
SELECT 17, u.id, t, u.id % 4 <> 0 FROM urls u, unnest(enum_range(NULL::auto_location_id_subtask_type)) AS t WHERE u.id % 3 = 0;
INSERT INTO location_id_subtask_suggestions (subtask_id, location_id, confidence)
SELECT id, 6 + id % 9, (ARRAY[1.0, 87.5, 0.9, 120])[1 + id % 4] FROM auto_location_id_subtasks WHERE locations_found;

INSERT INTO auto_record_type_suggestions (url_id, record_type) SELECT id, (enum_range(NULL::record_type))[1 + id % 35] FROM urls WHERE id % 3 <> 0;
INSERT INTO auto_relevant_suggestions (url_id, relevant, confidence, model_name)
SELECT id, id % 5 <> 0, CASE WHEN id % 7 <> 0 THEN (id % 100) / 100.0 END, CASE WHEN id % 7 <> 0 THEN 'relevance-v2' END FROM urls WHERE id % 2 = 1;

-- Answers of anonymous sessions: the second one gave two different ones, and both are kept.

INSERT INTO anonymous_sessions (id, created_at)
SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, '2025-09-01'::timestamp FROM generate_series(1, 5) AS n;
INSERT INTO anonymous_annotation_url_type (url_id, url_type, session_id)
SELECT u.id, (enum_range(NULL::url_type))[1 + u.id % 4], s.id FROM urls u, anonymous_sessions s WHERE u.id % 10 = 2;
INSERT INTO anonymous_annotation_url_type (url_id, url_type, session_id) VALUES
    (3, 'meta url', '00000000-0000-4000-8000-000000000002'), (3, 'not relevant', '00000000-0000-4000-8000-000000000002');
INSERT INTO anonymous_annotation_record_type (url_id, record_type, session_id)
SELECT url_id, 'Stops', session_id FROM anonymous_annotation_url_type WHERE url_type = 'data source';
INSERT INTO anonymous_annotation_agency (url_id, agency_id, session_id)
SELECT DISTINCT url_id, 23191 + url_id % 11, session_id FROM anonymous_annotation_url_type WHERE url_type <> 'not relevant';
INSERT INTO anonymous_annotation_location (url_id, location_id, session_id)
SELECT DISTINCT url_id, 6 + url_id % 9, session_id FROM anonymous_annotation_url_type WHERE url_type <> 'not relevant';

-- Agreed facts, and what was sent on.

INSERT INTO flag_url_validated (url_id, type) SELECT id, (enum_range(NULL::url_type))[1 + (id / 10) % 6] FROM urls WHERE id % 10 = 5;
INSERT INTO flag_url_auto_validated (url_id) SELECT url_id FROM flag_url_validated WHERE url_id % 20 = 5;
INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE id % 52 = 0;
INSERT INTO url_record_type (url_id, record_type) SELECT url_id, (enum_range(NULL::record_type))[1 + url_id % 35] FROM flag_url_validated WHERE type = 'data source';
INSERT INTO link_agencies__urls (url_id, agency_id) SELECT url_id, 23191 + url_id % 11 FROM flag_url_validated WHERE type IN ('data source', 'meta url');
INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) SELECT url_id, 5000 + url_id FROM flag_url_validated WHERE type = 'data source' AND url_id < 120;
INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) VALUES (NULL, 4999);
INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) SELECT url_id, 7000 + url_id FROM flag_url_validated WHERE type = 'meta url';
INSERT INTO ds_app_link_agency (agency_id, ds_agency_id) SELECT id, id - 23000 FROM agencies;
INSERT INTO flag_ds_delete_data_source (ds_data_source_id) VALUES (4999);
INSERT INTO flag_ds_delete_meta_url (ds_meta_url_id) SELECT max(ds_meta_url_id) FROM ds_app_link_meta_url;
INSERT INTO flag_ds_delete_agency (ds_agency_id) SELECT max(ds_agency_id) FROM ds_app_link_agency;

-- Tasks and bookkeeping. The triggers have written most of change_log.

INSERT INTO link_tasks__urls (task_id, url_id) SELECT 4, id FROM urls WHERE id % 2 = 0;
INSERT INTO task_errors (task_id, error) SELECT id, 'it went wrong' FROM tasks WHERE task_status = 'error';
INSERT INTO tasks__log (task_id, log) SELECT id, 'began' FROM tasks WHERE id % 3 = 0;
INSERT INTO sync_log (resource_type, sync_type, count, created_at)
SELECT r, s, 3, '2025-10-01' FROM unnest(enum_range(NULL::resource_type_enum)) AS r, unnest(enum_range(NULL::sync_type_enum)) AS s;
INSERT INTO huggingface_upload_state (last_upload_at) VALUES ('2025-11-30 23:59:59');
UPDATE urls SET name = 'A better name' WHERE id = 6;

REFRESH MATERIALIZED VIEW url_status_mat_view;
REFRESH MATERIALIZED VIEW batch_url_status_mat_view;
REFRESH MATERIALIZED VIEW mat_view__html_duplicate_url;
