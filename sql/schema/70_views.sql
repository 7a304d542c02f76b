CREATE VIEW unvalidated_url_view AS
SELECT urls.id AS url_id
FROM urls
WHERE NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = urls.id);

CREATE VIEW locations_expanded AS
SELECT
    locations.id,
    locations.type,
    us_states.state_name,
    us_states.state_iso,
    counties.name AS county_name,
    counties.fips AS county_fips,
    localities.name AS locality_name,
    localities.id AS locality_id,
    us_states.id AS state_id,
    counties.id AS county_id,
    CASE locations.type
        WHEN 'Locality' THEN localities.name::text
        WHEN 'County' THEN counties.name
        WHEN 'State' THEN us_states.state_name
        WHEN 'National' THEN 'United States'
    END AS display_name,
    CASE locations.type
        WHEN 'Locality' THEN concat(localities.name, ', ', counties.name, ', ', us_states.state_name)
        WHEN 'County' THEN concat(counties.name, ', ', us_states.state_name)
        WHEN 'State' THEN us_states.state_name
        WHEN 'National' THEN 'United States'
    END AS full_display_name
FROM locations
LEFT JOIN us_states ON us_states.id = locations.state_id
LEFT JOIN counties ON counties.id = locations.county_id
LEFT JOIN localities ON localities.id = locations.locality_id;

COMMENT ON COLUMN locations_expanded.full_display_name IS 'A missing part of the name is empty; its comma stays.';

CREATE VIEW dependent_locations AS
SELECT parent.id AS parent_location_id, child.id AS dependent_location_id
FROM locations parent
JOIN locations child ON child.state_id = parent.state_id AND child.type IN ('County', 'Locality')
WHERE parent.type = 'State'
UNION ALL
SELECT parent.id, child.id
FROM locations parent
JOIN locations child ON child.county_id = parent.county_id AND child.type = 'Locality'
WHERE parent.type = 'County'
UNION ALL
SELECT parent.id, child.id
FROM locations parent
JOIN locations child ON child.type <> 'National'
WHERE parent.type = 'National';

CREATE VIEW meta_url_view AS
SELECT flag.url_id FROM flag_url_validated flag WHERE flag.type = 'meta url';

CREATE VIEW url_unknown_agencies_view AS
SELECT urls.id
FROM urls
JOIN annotation__agency__auto__subtasks subtask ON subtask.url_id = urls.id
GROUP BY urls.id
HAVING NOT bool_or(subtask.agencies_found);

CREATE VIEW url_task_count_1_day AS
SELECT tasks.task_type, count(*) AS count
FROM tasks
JOIN link_tasks__urls link ON link.task_id = tasks.id
WHERE tasks.updated_at > now() - interval '1 day'
GROUP BY tasks.task_type;

CREATE VIEW url_task_count_1_week AS
SELECT tasks.task_type, count(*) AS count
FROM tasks
JOIN link_tasks__urls link ON link.task_id = tasks.id
WHERE tasks.updated_at > now() - interval '1 week'
GROUP BY tasks.task_type;

-- The integrity views list rows that must not exist. Each is empty in a healthy database.

CREATE VIEW integrity__incomplete_data_sources_view AS
SELECT link.url_id
FROM ds_app_link_data_source link
WHERE link.url_id IS NOT NULL
    AND (
        NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = link.url_id AND f.type = 'data source')
        OR NOT EXISTS (SELECT FROM url_record_type r WHERE r.url_id = link.url_id)
        OR NOT EXISTS (SELECT FROM link_agencies__urls a WHERE a.url_id = link.url_id)
    );

CREATE VIEW integrity__incomplete_meta_urls_view AS
SELECT link.url_id
FROM ds_app_link_meta_url link
WHERE link.url_id IS NOT NULL
    AND (
        NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = link.url_id AND f.type = 'meta url')
        OR NOT EXISTS (SELECT FROM link_agencies__urls a WHERE a.url_id = link.url_id)
    );

CREATE VIEW integrity__non_federal_agencies_no_location_view AS
SELECT agencies.id AS agency_id
FROM agencies
WHERE agencies.jurisdiction_type <> 'federal'
    AND NOT EXISTS (SELECT FROM link_agencies__locations link WHERE link.agency_id = agencies.id);

CREATE VIEW integrity__url_both_data_source_and_meta_url_view AS
SELECT source.url_id
FROM ds_app_link_data_source source
JOIN ds_app_link_meta_url meta ON meta.url_id = source.url_id;
