-- The whole schema of the annotation domain, as sql/schema had it at the first release.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- The order of the values is part of the contract: it breaks ties in answers.

CREATE TYPE url_status AS ENUM ('ok', 'duplicate', 'broken');

CREATE TYPE url_source AS ENUM ('collector', 'data_sources_app', 'redirect', 'root_url', 'manual');

CREATE TYPE url_type AS ENUM (
    'data source', 'meta url', 'not relevant', 'individual record', 'not found', 'broken page'
);

CREATE TYPE record_type AS ENUM (
    'Accident Reports', 'Arrest Records', 'Calls for Service', 'Car GPS', 'Citations', 'Dispatch Logs',
    'Dispatch Recordings', 'Field Contacts', 'Incident Reports', 'Misc Police Activity',
    'Officer Involved Shootings', 'Stops', 'Surveys', 'Use of Force Reports', 'Vehicle Pursuits',
    'Complaints & Misconduct', 'Daily Activity Logs', 'Training & Hiring Info', 'Personnel Records',
    'Annual & Monthly Reports', 'Budgets & Finances', 'Geographic', 'List of Data Sources',
    'Policies & Contracts', 'Crime Maps & Reports', 'Crime Statistics', 'Media Bulletins',
    'Records Request Info', 'Resources', 'Sex Offender Registry', 'Wanted Persons', 'Booking Reports',
    'Court Cases', 'Incarceration Records', 'Other'
);

CREATE TYPE agency_type_enum AS ENUM ('unknown', 'incarceration', 'law enforcement', 'court', 'aggregated');

CREATE TYPE jurisdiction_type_enum AS ENUM (
    'school', 'county', 'local', 'port', 'tribal', 'transit', 'state', 'federal'
);

CREATE TYPE location_type AS ENUM ('National', 'State', 'County', 'Locality');

CREATE TYPE suggestion_source_enum AS ENUM ('HTML Metadata Title', 'User');

CREATE TYPE agency_auto_suggestion_method AS ENUM (
    'homepage_match', 'nlp_location_match', 'muckrock_match', 'ckan_match', 'batch_link'
);

CREATE TYPE agency_id_subtask_detail_code AS ENUM (
    'no details', 'retrieval error', 'homepage-single agency', 'homepage-multi agency'
);

CREATE TYPE auto_location_id_subtask_type AS ENUM ('nlp_location_frequency', 'batch_link');

CREATE TYPE batch_strategy AS ENUM (
    'example', 'ckan', 'muckrock_county_search', 'auto_googler', 'muckrock_all_search',
    'muckrock_simple_search', 'common_crawler', 'manual'
);

CREATE TYPE batch_status AS ENUM ('ready to label', 'error', 'in-process', 'aborted');

CREATE TYPE task_status_enum AS ENUM ('complete', 'in-process', 'error', 'aborted', 'never-completed');

CREATE TYPE task_type AS ENUM (
    'HTML', 'Relevancy', 'Record Type', 'Agency Identification', 'Misc Metadata', 'Submit Approved URLs',
    'Duplicate Detection', 'Push to Hugging Face', 'URL Probe', 'Populate Backlog Snapshot', 'Delete Old Logs',
    'Run URL Task Cycles', 'Root URL', 'Internet Archives Probe', 'Internet Archives Archive', 'Screenshot',
    'Location ID', 'Auto Validate', 'Auto Name', 'Suspend URLs', 'Submit Meta URLs', 'Delete Stale Screenshots',
    'Mark Task Never Completed', 'Task Cleanup', 'Refresh Materialized Views', 'Sync Agencies Add',
    'Sync Agencies Update', 'Sync Agencies Delete', 'Sync Data Sources Add', 'Sync Data Sources Update',
    'Sync Data Sources Delete', 'Sync Meta URLs Add', 'Sync Meta URLs Update', 'Sync Meta URLs Delete',
    'Update URL Status', 'Integrity Monitor'
);

CREATE TYPE url_html_content_type AS ENUM ('Title', 'Description', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'Div');

CREATE TYPE scrape_status AS ENUM ('success', 'error');

CREATE TYPE operation_type AS ENUM ('UPDATE', 'DELETE', 'INSERT');

CREATE TYPE agency_aggregation_enum AS ENUM ('federal', 'state', 'county', 'local');

CREATE TYPE update_method_enum AS ENUM ('Overwrite', 'Insert', 'No updates');

CREATE TYPE retention_schedule_enum AS ENUM (
    'Future only', '1 month', '1 day', '1 week', '1-10 years', '< 1 day', '< 1 week', '< 1 year', '> 10 years'
);

CREATE TYPE access_type_enum AS ENUM ('Webpage', 'Download', 'API');

CREATE TYPE resource_type_enum AS ENUM ('agency', 'data_source', 'meta_url');

CREATE TYPE sync_type_enum AS ENUM ('add', 'update', 'delete');

-- Three types that no column uses any more. A database of the reference has them, and dropping them is not ours to decide.

CREATE TYPE url_attribute AS ENUM ('Record Type', 'Agency', 'Relevant');

CREATE TYPE metadata_validation_status AS ENUM ('Pending Validation', 'Validated');

CREATE TYPE validation_source AS ENUM ('Machine Learning', 'Label Studio', 'Manual');

-- Agencies, and the places they belong to.

CREATE TABLE agencies (
    id serial NOT NULL,
    name varchar NOT NULL,
    agency_type agency_type_enum NOT NULL DEFAULT 'unknown',
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT agencies_pkey PRIMARY KEY (id)
);

-- Smaller ids belong to agencies that were numbered by the outward application.
ALTER SEQUENCE agencies_id_seq START WITH 23191 RESTART;

CREATE TABLE us_states (
    id bigint GENERATED ALWAYS AS IDENTITY,
    state_iso text NOT NULL,
    state_name text,
    CONSTRAINT us_states_pkey PRIMARY KEY (id),
    CONSTRAINT us_states_state_iso_key UNIQUE (state_iso)
);

CREATE TABLE counties (
    id bigint GENERATED ALWAYS AS IDENTITY,
    fips varchar NOT NULL,
    name text,
    state_id integer,
    lat double precision,
    lng double precision,
    population bigint,
    agencies text,
    CONSTRAINT counties_pkey PRIMARY KEY (id),
    CONSTRAINT counties_fips_key UNIQUE (fips),
    CONSTRAINT counties_fips_state_id_key UNIQUE (fips, state_id),
    CONSTRAINT counties_name_state_id_key UNIQUE (name, state_id),
    CONSTRAINT counties_state_id_fkey FOREIGN KEY (state_id) REFERENCES us_states (id)
);

CREATE TABLE localities (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name varchar(255) NOT NULL,
    county_id integer NOT NULL,
    CONSTRAINT localities_pkey PRIMARY KEY (id),
    CONSTRAINT localities_name_county_id_key UNIQUE (name, county_id),
    CONSTRAINT localities_county_id_fkey FOREIGN KEY (county_id) REFERENCES counties (id),
    CONSTRAINT localities_name_check CHECK (name NOT LIKE '%,%')
);

CREATE INDEX localities_county_id_idx ON localities (county_id);

CREATE TABLE locations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    type location_type NOT NULL,
    state_id bigint,
    county_id bigint,
    locality_id bigint,
    lat double precision,
    lng double precision,
    CONSTRAINT locations_pkey PRIMARY KEY (id),
    CONSTRAINT locations_id_type_state_id_county_id_locality_id_key
        UNIQUE (id, type, state_id, county_id, locality_id),
    CONSTRAINT locations_state_id_fkey FOREIGN KEY (state_id) REFERENCES us_states (id) ON DELETE CASCADE,
    CONSTRAINT locations_county_id_fkey FOREIGN KEY (county_id) REFERENCES counties (id) ON DELETE CASCADE,
    CONSTRAINT locations_locality_id_fkey FOREIGN KEY (locality_id) REFERENCES localities (id) ON DELETE CASCADE,
    CONSTRAINT locations_type_check CHECK (
        (type = 'National' AND state_id IS NULL AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'State' AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'County' AND county_id IS NOT NULL AND locality_id IS NULL)
        OR (type = 'Locality' AND county_id IS NOT NULL AND locality_id IS NOT NULL)
    )
);

COMMENT ON TABLE locations IS
    'A state, county or locality seen as a place. Whoever inserts one of those inserts its location too.';

CREATE INDEX locations_state_id_idx ON locations (state_id);
CREATE INDEX locations_county_id_idx ON locations (county_id);
CREATE INDEX locations_locality_id_idx ON locations (locality_id);

CREATE TABLE link_agencies__locations (
    agency_id integer NOT NULL,
    location_id bigint NOT NULL,
    CONSTRAINT link_agencies__locations_pkey PRIMARY KEY (agency_id, location_id),
    CONSTRAINT link_agencies__locations_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__locations_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX link_agencies__locations_location_id_idx ON link_agencies__locations (location_id);

-- Background tasks. Their links to URLs are in 60_bookkeeping.sql.

CREATE TABLE tasks (
    id serial NOT NULL,
    task_type task_type NOT NULL,
    task_status task_status_enum NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT tasks_pkey PRIMARY KEY (id)
);

CREATE TABLE task_errors (
    task_id integer NOT NULL,
    error text NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT task_errors_pkey PRIMARY KEY (task_id),
    CONSTRAINT task_errors_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE TABLE tasks__log (
    task_id integer NOT NULL,
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT tasks__log_pkey PRIMARY KEY (task_id),
    CONSTRAINT tasks__log_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

-- URLs and what is known of their pages.

CREATE TABLE urls (
    id serial NOT NULL,
    url text,
    scheme varchar,
    trailing_slash boolean NOT NULL DEFAULT false,
    collector_metadata json,
    status url_status NOT NULL,
    source url_source NOT NULL,
    name varchar,
    description varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    CONSTRAINT urls_pkey PRIMARY KEY (id),
    CONSTRAINT urls_url_key UNIQUE (url),
    CONSTRAINT urls_url_no_scheme_check CHECK (url !~* '^[a-z][a-z0-9+.-]*://'),
    CONSTRAINT urls_url_no_trailing_slash_check CHECK (right(url, 1) <> '/'),
    CONSTRAINT urls_url_no_fragment_check CHECK (strpos(url, '#') = 0),
    CONSTRAINT urls_url_no_nbsp_check CHECK (strpos(url, chr(160)) = 0)
);

COMMENT ON COLUMN urls.url IS 'The id form: without scheme, trailing slashes and fragment.';
COMMENT ON COLUMN urls.trailing_slash IS 'Whether the URL as given ended in a slash.';
COMMENT ON COLUMN urls.name IS 'The agreed name, not a suggestion.';

CREATE TABLE url_html_content (
    url_id integer NOT NULL,
    content_type url_html_content_type NOT NULL,
    content text NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_html_content_pkey PRIMARY KEY (url_id, content_type),
    CONSTRAINT url_html_content_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_compressed_html (
    url_id integer NOT NULL,
    compressed_html bytea NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_compressed_html_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_compressed_html_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_screenshot (
    url_id integer NOT NULL,
    content bytea NOT NULL,
    file_size integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_screenshot_url_id_key UNIQUE (url_id),
    CONSTRAINT url_screenshot_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON COLUMN url_screenshot.content IS 'A WebP image.';
COMMENT ON COLUMN url_screenshot.file_size IS 'Bytes.';

CREATE TABLE url_web_metadata (
    url_id integer NOT NULL,
    accessed boolean NOT NULL,
    status_code integer,
    content_type text,
    error_message text,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_web_metadata_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_web_metadata_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_web_metadata_status_code_check CHECK (status_code BETWEEN 100 AND 999)
);

CREATE TABLE url_scrape_info (
    url_id integer NOT NULL,
    status scrape_status NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_scrape_info_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_scrape_info_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_optional_data_source_metadata (
    url_id integer NOT NULL,
    record_formats varchar[] NOT NULL DEFAULT '{}',
    data_portal_type varchar,
    data_portal_type_other varchar,
    supplying_entity varchar,
    coverage_start date,
    coverage_end date,
    agency_supplied boolean,
    agency_originated boolean,
    agency_aggregation agency_aggregation_enum,
    agency_described_not_in_database text,
    update_method update_method_enum,
    readme_url text,
    originating_entity text,
    retention_schedule retention_schedule_enum,
    scraper_url text,
    submission_notes text,
    access_notes text,
    access_types access_type_enum[] NOT NULL DEFAULT '{}',
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_optional_data_source_metadata_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_optional_data_source_metadata_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_checked_for_duplicate (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_checked_for_duplicate_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_checked_for_duplicate_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE flag_root_url (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_root_url_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_root_url_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE flag_url_checked_for_internet_archive (
    url_id integer NOT NULL,
    success boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_checked_for_internet_archive_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_checked_for_internet_archive_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_internet_archives_probe_metadata (
    url_id integer NOT NULL,
    archive_url varchar NOT NULL,
    digest varchar NOT NULL,
    length integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_internet_archives_probe_metadata_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_internet_archives_probe_metadata_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_internet_archives_save_metadata (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_uploaded_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_internet_archives_save_metadata_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_internet_archives_save_metadata_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE link_urls_redirect_url (
    source_url_id integer NOT NULL,
    destination_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_urls_redirect_url_pkey PRIMARY KEY (source_url_id, destination_url_id),
    CONSTRAINT link_urls_redirect_url_source_url_id_fkey
        FOREIGN KEY (source_url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_urls_redirect_url_destination_url_id_fkey
        FOREIGN KEY (destination_url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_urls_redirect_url_destination_url_id_idx ON link_urls_redirect_url (destination_url_id);

CREATE TABLE link_urls_root_url (
    url_id integer NOT NULL,
    root_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_urls_root_url_pkey PRIMARY KEY (url_id, root_url_id),
    CONSTRAINT link_urls_root_url_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_urls_root_url_root_url_id_fkey FOREIGN KEY (root_url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_urls_root_url_root_url_id_idx ON link_urls_root_url (root_url_id);

CREATE TABLE link_user_submitted_urls (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_user_submitted_urls_pkey PRIMARY KEY (url_id, user_id),
    CONSTRAINT link_user_submitted_urls_url_id_key UNIQUE (url_id),
    CONSTRAINT link_user_submitted_urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_user_submitted_urls_user_id_idx ON link_user_submitted_urls (user_id);

-- Batches: how URLs came in.

CREATE TABLE batches (
    id serial NOT NULL,
    strategy batch_strategy NOT NULL,
    user_id integer,
    status batch_status NOT NULL,
    date_generated timestamp NOT NULL DEFAULT now(),
    compute_time double precision,
    parameters json,
    CONSTRAINT batches_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN batches.user_id IS 'Who started the batch; null for an anonymous submission.';
COMMENT ON COLUMN batches.compute_time IS 'Seconds.';

CREATE INDEX batches_user_id_idx ON batches (user_id);

CREATE TABLE link_batches__urls (
    id serial NOT NULL,
    batch_id integer NOT NULL,
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_batches__urls_pkey PRIMARY KEY (id),
    CONSTRAINT link_batches__urls_url_id_key UNIQUE (url_id),
    CONSTRAINT link_batches__urls_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_batches__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_batches__urls_batch_id_idx ON link_batches__urls (batch_id, url_id);

CREATE TABLE link_batches__locations (
    batch_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_batches__locations_pkey PRIMARY KEY (batch_id, location_id),
    CONSTRAINT link_batches__locations_batch_id_fkey
        FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_batches__locations_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX link_batches__locations_location_id_idx ON link_batches__locations (location_id);

CREATE TABLE link_agencies__batches (
    batch_id integer NOT NULL,
    agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_agencies__batches_pkey PRIMARY KEY (batch_id, agency_id),
    CONSTRAINT link_agencies__batches_batch_id_fkey
        FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__batches_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

CREATE INDEX link_agencies__batches_agency_id_idx ON link_agencies__batches (agency_id);

CREATE TABLE duplicates (
    batch_id integer NOT NULL,
    original_url_id integer NOT NULL,
    CONSTRAINT duplicates_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id),
    CONSTRAINT duplicates_original_url_id_fkey FOREIGN KEY (original_url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE duplicates IS 'One row for each time a batch met a URL already known; repeats are meant.';

CREATE INDEX duplicates_batch_id_idx ON duplicates (batch_id);
CREATE INDEX duplicates_original_url_id_idx ON duplicates (original_url_id);

CREATE TABLE logs (
    id serial NOT NULL,
    batch_id integer NOT NULL,
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT logs_pkey PRIMARY KEY (id),
    CONSTRAINT logs_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id)
);

CREATE INDEX logs_batch_id_idx ON logs (batch_id);

CREATE TABLE missing (
    id serial NOT NULL,
    place_id integer NOT NULL,
    record_type varchar NOT NULL,
    batch_id integer,
    strategy_used text NOT NULL,
    date_searched timestamp NOT NULL DEFAULT now(),
    CONSTRAINT missing_pkey PRIMARY KEY (id),
    CONSTRAINT missing_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id)
);

CREATE INDEX missing_batch_id_idx ON missing (batch_id);

CREATE TABLE backlog_snapshot (
    id serial NOT NULL,
    count_pending_total integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT backlog_snapshot_pkey PRIMARY KEY (id)
);

-- What signed-in annotators said. Users live elsewhere: user_id is the number in their token, without a foreign key.

CREATE TABLE user_url_type_suggestions (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    type url_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT user_url_type_suggestions_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT user_url_type_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX user_url_type_suggestions_url_id_idx ON user_url_type_suggestions (url_id, type);

CREATE TABLE user_record_type_suggestions (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT user_record_type_suggestions_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT user_record_type_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX user_record_type_suggestions_url_id_idx ON user_record_type_suggestions (url_id, record_type);

CREATE TABLE user_url_agency_suggestions (
    id serial NOT NULL,
    agency_id integer,
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    is_new boolean,
    CONSTRAINT user_url_agency_suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT user_url_agency_suggestions_agency_id_url_id_user_id_key UNIQUE (agency_id, url_id, user_id),
    CONSTRAINT user_url_agency_suggestions_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES agencies (id),
    CONSTRAINT user_url_agency_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT user_url_agency_suggestions_is_new_check CHECK (is_new IS NOT TRUE OR agency_id IS NULL)
);

COMMENT ON COLUMN user_url_agency_suggestions.is_new IS
    'True when the annotator says the agency is missing from the catalog; agency_id is null then.';

CREATE INDEX user_url_agency_suggestions_url_id_idx ON user_url_agency_suggestions (url_id, agency_id);
CREATE INDEX user_url_agency_suggestions_user_id_idx ON user_url_agency_suggestions (user_id, url_id);

CREATE TABLE user_location_suggestions (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT user_location_suggestions_pkey PRIMARY KEY (url_id, user_id, location_id),
    CONSTRAINT user_location_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT user_location_suggestions_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX user_location_suggestions_user_id_idx ON user_location_suggestions (user_id, url_id);

CREATE TABLE url_name_suggestions (
    id serial NOT NULL,
    url_id integer NOT NULL,
    suggestion varchar(100) NOT NULL,
    source suggestion_source_enum,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_name_suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT url_name_suggestions_url_id_suggestion_key UNIQUE (url_id, suggestion),
    CONSTRAINT url_name_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE link_user_name_suggestions (
    user_id integer NOT NULL,
    suggestion_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_user_name_suggestions_pkey PRIMARY KEY (user_id, suggestion_id),
    CONSTRAINT link_user_name_suggestions_suggestion_id_fkey
        FOREIGN KEY (suggestion_id) REFERENCES url_name_suggestions (id) ON DELETE CASCADE
);

COMMENT ON TABLE link_user_name_suggestions IS 'Endorsements: a user finds a suggested name right.';

CREATE INDEX link_user_name_suggestions_suggestion_id_idx ON link_user_name_suggestions (suggestion_id);

CREATE TABLE link_user_suggestion_agency_not_found (
    user_id integer NOT NULL,
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_user_suggestion_agency_not_found_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT link_user_suggestion_agency_not_found_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_user_suggestion_agency_not_found_url_id_idx ON link_user_suggestion_agency_not_found (url_id);

CREATE TABLE link_user_suggestion_location_not_found (
    user_id integer NOT NULL,
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_user_suggestion_location_not_found_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT link_user_suggestion_location_not_found_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_user_suggestion_location_not_found_url_id_idx ON link_user_suggestion_location_not_found (url_id);

CREATE TABLE reviewing_user_url (
    user_id integer NOT NULL,
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT reviewing_user_url_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT reviewing_user_url_url_id_key UNIQUE (url_id),
    CONSTRAINT reviewing_user_url_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE reviewing_user_url IS 'Reviews by hand from before agreement decided; read by url_annotation_flags only.';

-- What robots suggest. Scales of confidence differ by column: see the checks and comments.

CREATE TABLE url_auto_agency_id_subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type agency_auto_suggestion_method NOT NULL,
    agencies_found boolean NOT NULL,
    detail agency_id_subtask_detail_code NOT NULL DEFAULT 'no details',
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_auto_agency_id_subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT url_auto_agency_id_subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT url_auto_agency_id_subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX url_auto_agency_id_subtasks_task_id_idx ON url_auto_agency_id_subtasks (task_id);
CREATE INDEX url_auto_agency_id_subtasks_url_id_idx ON url_auto_agency_id_subtasks (url_id);

CREATE TABLE agency_id_subtask_suggestions (
    id serial NOT NULL,
    subtask_id integer NOT NULL,
    agency_id integer NOT NULL,
    confidence integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT agency_id_subtask_suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT agency_id_subtask_suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES url_auto_agency_id_subtasks (id) ON DELETE CASCADE,
    CONSTRAINT agency_id_subtask_suggestions_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT agency_id_subtask_suggestions_confidence_check CHECK (confidence BETWEEN 0 AND 100)
);

CREATE INDEX agency_id_subtask_suggestions_subtask_id_idx ON agency_id_subtask_suggestions (subtask_id);
CREATE INDEX agency_id_subtask_suggestions_agency_id_idx ON agency_id_subtask_suggestions (agency_id);

CREATE TABLE auto_location_id_subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type auto_location_id_subtask_type NOT NULL,
    locations_found boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_location_id_subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT auto_location_id_subtasks_url_id_type_key UNIQUE (url_id, type),
    CONSTRAINT auto_location_id_subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT auto_location_id_subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX auto_location_id_subtasks_task_id_idx ON auto_location_id_subtasks (task_id);

CREATE TABLE location_id_subtask_suggestions (
    subtask_id integer NOT NULL,
    location_id bigint NOT NULL,
    confidence double precision NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT location_id_subtask_suggestions_pkey PRIMARY KEY (subtask_id, location_id),
    CONSTRAINT location_id_subtask_suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES auto_location_id_subtasks (id) ON DELETE CASCADE,
    CONSTRAINT location_id_subtask_suggestions_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON COLUMN location_id_subtask_suggestions.confidence IS
    '0 to 100 by agreement; unchecked, since other writers have stored fractions and more.';

CREATE INDEX location_id_subtask_suggestions_location_id_idx ON location_id_subtask_suggestions (location_id);

CREATE TABLE auto_record_type_suggestions (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_record_type_suggestions_pkey PRIMARY KEY (url_id),
    CONSTRAINT auto_record_type_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE auto_relevant_suggestions (
    url_id integer NOT NULL,
    relevant boolean NOT NULL,
    confidence double precision,
    model_name varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_relevant_suggestions_pkey PRIMARY KEY (url_id),
    CONSTRAINT auto_relevant_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT auto_relevant_suggestions_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);

-- What annotators without an account said, session by session.

CREATE TABLE anonymous_sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_sessions_pkey PRIMARY KEY (id)
);

CREATE TABLE anonymous_annotation_url_type (
    url_id integer NOT NULL,
    url_type url_type NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_annotation_url_type_pkey PRIMARY KEY (session_id, url_id, url_type),
    CONSTRAINT anonymous_annotation_url_type_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT anonymous_annotation_url_type_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE anonymous_annotation_url_type IS
    'The key lets a session hold several types for one URL. Docket adds one only; the reference may have left more.';

CREATE INDEX anonymous_annotation_url_type_url_id_idx ON anonymous_annotation_url_type (url_id, url_type);

CREATE TABLE anonymous_annotation_record_type (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_annotation_record_type_pkey PRIMARY KEY (session_id, url_id, record_type),
    CONSTRAINT anonymous_annotation_record_type_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT anonymous_annotation_record_type_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX anonymous_annotation_record_type_url_id_idx ON anonymous_annotation_record_type (url_id, record_type);

CREATE TABLE anonymous_annotation_agency (
    url_id integer NOT NULL,
    agency_id integer NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_annotation_agency_pkey PRIMARY KEY (session_id, url_id, agency_id),
    CONSTRAINT anonymous_annotation_agency_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT anonymous_annotation_agency_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_annotation_agency_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

CREATE INDEX anonymous_annotation_agency_url_id_idx ON anonymous_annotation_agency (url_id, agency_id);

CREATE TABLE anonymous_annotation_location (
    url_id integer NOT NULL,
    location_id bigint NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_annotation_location_pkey PRIMARY KEY (session_id, url_id, location_id),
    CONSTRAINT anonymous_annotation_location_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT anonymous_annotation_location_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_annotation_location_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX anonymous_annotation_location_url_id_idx ON anonymous_annotation_location (url_id, location_id);

-- What annotations led to: validated facts, suspensions, and the rows of the outward application.

CREATE TABLE flag_url_validated (
    url_id integer NOT NULL,
    type url_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_validated_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_validated_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE flag_url_auto_validated (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_auto_validated_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_auto_validated_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE flag_url_auto_validated IS 'Validated by agreement of annotators rather than by hand.';

CREATE TABLE flag_url_suspended (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_suspended_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_suspended_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_record_type (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_record_type_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_record_type_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE url_record_type IS 'The agreed record type, not a suggestion.';

CREATE TABLE link_agencies__urls (
    id serial NOT NULL,
    url_id integer NOT NULL,
    agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_agencies__urls_pkey PRIMARY KEY (id),
    CONSTRAINT link_agencies__urls_url_id_agency_id_key UNIQUE (url_id, agency_id),
    CONSTRAINT link_agencies__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__urls_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

COMMENT ON TABLE link_agencies__urls IS 'The agencies agreed on, not suggestions.';

CREATE INDEX link_agencies__urls_agency_id_idx ON link_agencies__urls (agency_id);

CREATE TABLE ds_app_link_data_source (
    id serial NOT NULL,
    url_id integer,
    ds_data_source_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_data_source_pkey PRIMARY KEY (ds_data_source_id),
    CONSTRAINT ds_app_link_data_source_url_id_key UNIQUE (url_id),
    CONSTRAINT ds_app_link_data_source_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_data_source.url_id IS 'Null once the URL is deleted here.';

CREATE TABLE ds_app_link_meta_url (
    url_id integer,
    ds_meta_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_meta_url_pkey PRIMARY KEY (ds_meta_url_id),
    CONSTRAINT ds_app_link_meta_url_url_id_key UNIQUE (url_id),
    CONSTRAINT ds_app_link_meta_url_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_meta_url.url_id IS 'Null once the URL is deleted here.';

CREATE TABLE ds_app_link_agency (
    agency_id integer,
    ds_agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_agency_pkey PRIMARY KEY (ds_agency_id),
    CONSTRAINT ds_app_link_agency_agency_id_key UNIQUE (agency_id),
    CONSTRAINT ds_app_link_agency_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_agency.agency_id IS 'Null once the agency is deleted here.';

CREATE TABLE flag_ds_delete_data_source (
    ds_data_source_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_data_source_pkey PRIMARY KEY (ds_data_source_id),
    CONSTRAINT flag_ds_delete_data_source_ds_data_source_id_fkey
        FOREIGN KEY (ds_data_source_id) REFERENCES ds_app_link_data_source (ds_data_source_id) ON DELETE CASCADE
);

CREATE TABLE flag_ds_delete_meta_url (
    ds_meta_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_meta_url_pkey PRIMARY KEY (ds_meta_url_id),
    CONSTRAINT flag_ds_delete_meta_url_ds_meta_url_id_fkey
        FOREIGN KEY (ds_meta_url_id) REFERENCES ds_app_link_meta_url (ds_meta_url_id) ON DELETE CASCADE
);

CREATE TABLE flag_ds_delete_agency (
    ds_agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_agency_pkey PRIMARY KEY (ds_agency_id),
    CONSTRAINT flag_ds_delete_agency_ds_agency_id_fkey
        FOREIGN KEY (ds_agency_id) REFERENCES ds_app_link_agency (ds_agency_id) ON DELETE CASCADE
);

-- Which task touched which URL, what changed, and what was sent on.

CREATE TABLE link_tasks__urls (
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT link_tasks__urls_pkey PRIMARY KEY (task_id, url_id),
    CONSTRAINT link_tasks__urls_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT link_tasks__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_tasks__urls_url_id_idx ON link_tasks__urls (url_id);

CREATE TABLE url_task_error (
    url_id integer NOT NULL,
    task_id integer NOT NULL,
    task_type task_type NOT NULL,
    error varchar NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_task_error_pkey PRIMARY KEY (url_id, task_type),
    CONSTRAINT url_task_error_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_task_error_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX url_task_error_task_id_idx ON url_task_error (task_id);

CREATE TABLE change_log (
    id serial NOT NULL,
    operation_type operation_type NOT NULL,
    table_name varchar NOT NULL,
    affected_id integer NOT NULL,
    old_data jsonb,
    new_data jsonb,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT change_log_pkey PRIMARY KEY (id)
);

CREATE TABLE sync_log (
    resource_type resource_type_enum NOT NULL,
    sync_type sync_type_enum NOT NULL,
    count integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT sync_log_pkey PRIMARY KEY (resource_type, sync_type, created_at)
);

CREATE TABLE huggingface_upload_state (
    id serial NOT NULL,
    last_upload_at timestamp NOT NULL,
    CONSTRAINT huggingface_upload_state_pkey PRIMARY KEY (id)
);

CREATE VIEW url_annotation_count_view AS
SELECT
    urls.id AS url_id,
    coalesce(n.auto_agency_count, 0) AS auto_agency_count,
    coalesce(n.auto_location_count, 0) AS auto_location_count,
    coalesce(n.auto_record_type_count, 0) AS auto_record_type_count,
    coalesce(n.auto_url_type_count, 0) AS auto_url_type_count,
    coalesce(n.user_agency_count, 0) AS user_agency_count,
    coalesce(n.user_location_count, 0) AS user_location_count,
    coalesce(n.user_record_type_count, 0) AS user_record_type_count,
    coalesce(n.user_url_type_count, 0) AS user_url_type_count,
    coalesce(n.total_anno_count, 0) AS total_anno_count
FROM urls
LEFT JOIN (
    SELECT
        annotation.url_id,
        count(*) FILTER (WHERE annotation.kind = 1) AS auto_agency_count,
        count(*) FILTER (WHERE annotation.kind = 2) AS auto_location_count,
        count(*) FILTER (WHERE annotation.kind = 3) AS auto_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 4) AS auto_url_type_count,
        count(*) FILTER (WHERE annotation.kind = 5) AS user_agency_count,
        count(*) FILTER (WHERE annotation.kind = 6) AS user_location_count,
        count(*) FILTER (WHERE annotation.kind = 7) AS user_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 8) AS user_url_type_count,
        count(*) AS total_anno_count
    FROM (
        SELECT url_id, 1 AS kind FROM url_auto_agency_id_subtasks
        UNION ALL SELECT url_id, 2 FROM auto_location_id_subtasks
        UNION ALL SELECT url_id, 3 FROM auto_record_type_suggestions
        UNION ALL SELECT url_id, 4 FROM auto_relevant_suggestions
        UNION ALL SELECT url_id, 5 FROM user_url_agency_suggestions
        UNION ALL SELECT url_id, 6 FROM user_location_suggestions
        UNION ALL SELECT url_id, 7 FROM user_record_type_suggestions
        UNION ALL SELECT url_id, 8 FROM user_url_type_suggestions
    ) AS annotation
    GROUP BY annotation.url_id
) AS n ON n.url_id = urls.id;

COMMENT ON VIEW url_annotation_count_view IS
    'Annotations by URL and kind; robots count by subtask, not by suggestion. Names, not-found marks and anonymous annotations do not count.';

CREATE VIEW url_annotation_flags AS
SELECT
    urls.id AS url_id,
    EXISTS (SELECT FROM auto_record_type_suggestions s WHERE s.url_id = urls.id) AS has_auto_record_type_suggestion,
    EXISTS (SELECT FROM auto_relevant_suggestions s WHERE s.url_id = urls.id) AS has_auto_relevant_suggestion,
    EXISTS (SELECT FROM url_auto_agency_id_subtasks s WHERE s.url_id = urls.id) AS has_auto_agency_suggestion,
    EXISTS (SELECT FROM auto_location_id_subtasks s WHERE s.url_id = urls.id) AS has_auto_location_suggestion,
    EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id) AS has_user_record_type_suggestion,
    EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id) AS has_user_relevant_suggestion,
    EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id) AS has_user_agency_suggestion,
    EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id) AS has_user_location_suggestion,
    EXISTS (SELECT FROM link_agencies__urls l WHERE l.url_id = urls.id) AS has_confirmed_agency,
    EXISTS (SELECT FROM reviewing_user_url r WHERE r.url_id = urls.id) AS was_reviewed
FROM urls;

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

COMMENT ON COLUMN locations_expanded.full_display_name IS 'A missing part of the name is left empty, commas and all.';

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
JOIN url_auto_agency_id_subtasks subtask ON subtask.url_id = urls.id
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

-- The integrity views hold what must not be; each is empty in a healthy database.

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
