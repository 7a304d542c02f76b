-- Columns are in the order in which they were added. Constraints have the names that PostgreSQL, SQLAlchemy or the author
-- of a revision gave them, some of them after an earlier name of the table.

CREATE TABLE tasks (
    id serial PRIMARY KEY,
    task_type task_type NOT NULL,
    task_status task_status_enum NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE batches (
    id serial PRIMARY KEY,
    strategy batch_strategy NOT NULL,
    status batch_status NOT NULL,
    compute_time double precision,
    parameters json,
    user_id integer,
    date_generated timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE urls (
    id serial,
    url text,
    collector_metadata json,
    status url_status NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    name varchar,
    record_type_old varchar,
    description varchar,
    source url_source NOT NULL,
    scheme varchar,
    trailing_slash boolean NOT NULL DEFAULT false,
    CONSTRAINT pending_urls_pkey PRIMARY KEY (id),
    CONSTRAINT uq_pending_url UNIQUE (url),
    CONSTRAINT check_url_has_no_scheme CHECK (NOT url ~ '^[A-Za-z][A-Za-z0-9+.\-]*://'),
    CONSTRAINT check_url_no_trailing_slash CHECK (url NOT LIKE '%/'),
    CONSTRAINT check_url_no_fragment CHECK (url NOT LIKE '%#%'),
    CONSTRAINT check_url_no_nbsp CHECK (url NOT LIKE '%' || chr(160) || '%')
);
-- A dropped column leaves a gap in the column numbers.
ALTER TABLE urls DROP COLUMN record_type_old;

CREATE SEQUENCE agencies_agency_id_seq START WITH 23191;

CREATE TABLE agencies (
    id integer DEFAULT nextval('agencies_agency_id_seq') NOT NULL PRIMARY KEY,
    name varchar NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    agency_type agency_type_enum NOT NULL DEFAULT 'unknown',
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE us_states (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state_iso text NOT NULL,
    state_name text,
    CONSTRAINT unique_state_iso UNIQUE (state_iso)
);

CREATE TABLE counties (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fips varchar NOT NULL,
    name text,
    lat double precision,
    lng double precision,
    population bigint,
    agencies text,
    state_id integer REFERENCES us_states (id),
    CONSTRAINT unique_fips UNIQUE (fips),
    CONSTRAINT uq_county_fips_state UNIQUE (fips, state_id),
    CONSTRAINT unique_county_name_and_state UNIQUE (name, state_id)
);

CREATE TABLE localities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name varchar(255) NOT NULL,
    county_id integer NOT NULL REFERENCES counties (id),
    CONSTRAINT localities_name_check CHECK (position(',' in name) = 0),
    CONSTRAINT uq_locality_name_county UNIQUE (name, county_id)
);

CREATE TABLE locations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type location_type NOT NULL,
    state_id bigint REFERENCES us_states (id) ON DELETE CASCADE,
    county_id bigint REFERENCES counties (id) ON DELETE CASCADE,
    locality_id bigint REFERENCES localities (id) ON DELETE CASCADE,
    lat double precision,
    lng double precision,
    CONSTRAINT unique_location UNIQUE (id, type, state_id, county_id, locality_id),
    CONSTRAINT locations_check CHECK (
        (type = 'National' AND state_id IS NULL AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'State' AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'County' AND county_id IS NOT NULL AND locality_id IS NULL)
        OR (type = 'Locality' AND county_id IS NOT NULL AND locality_id IS NOT NULL)
    )
);

CREATE TABLE link_agencies__locations (
    location_id bigint NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    agency_id integer NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT agencies_locations_pkey PRIMARY KEY (agency_id, location_id)
);

-- Facts about a URL's page.

CREATE TABLE url_html_content (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    content_type url_html_content_type NOT NULL,
    content text NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_html_content_pkey PRIMARY KEY (url_id, content_type)
);

CREATE TABLE url_compressed_html (
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    url_id integer NOT NULL PRIMARY KEY REFERENCES urls (id) ON DELETE CASCADE,
    compressed_html bytea NOT NULL
);

CREATE TABLE url_screenshot (
    url_id integer NOT NULL,
    content bytea NOT NULL,
    file_size integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT uq_url_id_screenshot UNIQUE (url_id),
    CONSTRAINT fk_url_screenshot_url FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_web_metadata (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    accessed boolean NOT NULL,
    status_code integer CONSTRAINT check_status_code CHECK (status_code >= 100 AND status_code <= 999),
    content_type text,
    error_message text,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE url_scrape_info (
    status scrape_status NOT NULL,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id)
);

CREATE TABLE url_record_type (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE url_optional_data_source_metadata (
    url_id integer NOT NULL,
    record_formats varchar[] NOT NULL DEFAULT ARRAY[]::varchar[],
    data_portal_type varchar,
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
    access_types access_type_enum[] NOT NULL DEFAULT ARRAY[]::access_type_enum[],
    data_portal_type_other varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_optional_data_source_metadata_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_optional_data_source_metadata_urls_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_task_error (
    url_id integer NOT NULL,
    task_id integer NOT NULL,
    task_type task_type NOT NULL,
    error varchar NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id, task_type),
    CONSTRAINT url_error_info_task_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT url_error_info_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_checked_for_duplicate (
    created_at timestamp NOT NULL DEFAULT now(),
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY
);

CREATE TABLE flag_root_url (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE flag_url_checked_for_internet_archive (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    success boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id)
);

CREATE TABLE url_internet_archives_probe_metadata (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    archive_url varchar NOT NULL,
    digest varchar NOT NULL,
    length integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_internet_archive_metadata_pkey PRIMARY KEY (url_id)
);

CREATE TABLE url_internet_archives_save_metadata (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    last_uploaded_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id)
);

CREATE TABLE link_urls_redirect_url (
    source_url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    destination_url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (source_url_id, destination_url_id)
);

CREATE TABLE link_urls_root_url (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    root_url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_root_url_pkey PRIMARY KEY (url_id, root_url_id)
);

CREATE TABLE link_user_submitted_urls (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id, user_id),
    UNIQUE (url_id)
);

-- Batches, duplicates, logs.

CREATE TABLE link_batches__urls (
    batch_id integer NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    id serial NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_batch_urls_pkey PRIMARY KEY (id),
    CONSTRAINT uq_link_batch_urls_url UNIQUE (url_id)
);
ALTER SEQUENCE link_batches__urls_id_seq RENAME TO link_batch_urls_id_seq;

CREATE TABLE link_batches__locations (
    batch_id integer NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    location_id bigint NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_location_batches_pkey PRIMARY KEY (batch_id, location_id)
);

CREATE TABLE link_agencies__batches (
    agency_id integer NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    batch_id integer NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_agency_batches_pkey PRIMARY KEY (batch_id, agency_id)
);

CREATE TABLE duplicates (
    batch_id integer NOT NULL REFERENCES batches (id),
    original_url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE logs (
    id serial PRIMARY KEY,
    batch_id integer NOT NULL REFERENCES batches (id),
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE missing (
    id serial PRIMARY KEY,
    place_id integer NOT NULL,
    record_type varchar NOT NULL,
    batch_id integer REFERENCES batches (id),
    strategy_used text NOT NULL,
    date_searched timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE backlog_snapshot (
    id serial PRIMARY KEY,
    count_pending_total integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now()
);

-- Answers of signed-in annotators.

CREATE TABLE user_url_type_suggestions (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    type url_type NOT NULL,
    CONSTRAINT user_relevant_suggestions_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT user_relevant_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE user_record_type_suggestions (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT user_record_type_suggestions_pkey PRIMARY KEY (user_id, url_id)
);

CREATE TABLE user_url_agency_suggestions (
    id serial NOT NULL PRIMARY KEY,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    agency_id integer REFERENCES agencies (id),
    is_new boolean,
    CONSTRAINT uq_user_agency_suggestions UNIQUE (agency_id, url_id, user_id)
);

CREATE TABLE user_location_suggestions (
    user_id integer NOT NULL,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    location_id bigint NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (url_id, user_id, location_id)
);

CREATE TABLE url_name_suggestions (
    id serial PRIMARY KEY,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    suggestion varchar(100) NOT NULL,
    source suggestion_source_enum,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT uq_url_name_suggestions_url_suggestion UNIQUE (url_id, suggestion)
);

CREATE TABLE link_user_name_suggestions (
    suggestion_id integer NOT NULL REFERENCES url_name_suggestions (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, suggestion_id)
);

CREATE TABLE link_user_suggestion_agency_not_found (
    user_id integer NOT NULL,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, url_id)
);

CREATE TABLE link_user_suggestion_location_not_found (
    user_id integer NOT NULL,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, url_id)
);

CREATE TABLE reviewing_user_url (
    user_id integer NOT NULL,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, url_id),
    CONSTRAINT approving_user_url_uq_user_id_url_id UNIQUE (url_id)
);

-- Suggestions by robots.

CREATE TABLE url_auto_agency_id_subtasks (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    type agency_auto_suggestion_method NOT NULL,
    agencies_found boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    detail agency_id_subtask_detail_code NOT NULL DEFAULT 'no details'
);

CREATE TABLE agency_id_subtask_suggestions (
    id serial PRIMARY KEY,
    subtask_id integer NOT NULL REFERENCES url_auto_agency_id_subtasks (id) ON DELETE CASCADE,
    agency_id integer NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    confidence integer NOT NULL CHECK (confidence >= 0 AND confidence <= 100),
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE auto_location_id_subtasks (
    id serial PRIMARY KEY,
    task_id integer NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    locations_found boolean NOT NULL,
    type auto_location_id_subtask_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT uq_auto_location_id_subtasks_url_id_type UNIQUE (url_id, type)
);

CREATE TABLE location_id_subtask_suggestions (
    subtask_id integer NOT NULL REFERENCES auto_location_id_subtasks (id) ON DELETE CASCADE,
    location_id bigint NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    confidence double precision NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (subtask_id, location_id)
);

CREATE TABLE auto_record_type_suggestions (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_record_type_suggestions_uq_url_id PRIMARY KEY (url_id)
);

CREATE TABLE auto_relevant_suggestions (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    relevant boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    confidence double precision,
    model_name varchar,
    CONSTRAINT auto_relevant_suggestions_pkey PRIMARY KEY (url_id),
    CONSTRAINT confidence_range CHECK (confidence IS NULL OR confidence >= 0 AND confidence <= 1)
);

-- Answers of anonymous sessions.

CREATE TABLE anonymous_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE anonymous_annotation_url_type (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    url_type url_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    session_id uuid NOT NULL REFERENCES anonymous_sessions (id),
    PRIMARY KEY (session_id, url_id, url_type)
);

CREATE TABLE anonymous_annotation_record_type (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    session_id uuid NOT NULL REFERENCES anonymous_sessions (id),
    PRIMARY KEY (session_id, url_id, record_type)
);

CREATE TABLE anonymous_annotation_agency (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    agency_id integer NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    session_id uuid NOT NULL REFERENCES anonymous_sessions (id),
    PRIMARY KEY (session_id, url_id, agency_id)
);

CREATE TABLE anonymous_annotation_location (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    location_id bigint NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    session_id uuid NOT NULL REFERENCES anonymous_sessions (id),
    PRIMARY KEY (session_id, url_id, location_id)
);

-- Agreed facts, and what was sent on.

CREATE TABLE flag_url_validated (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    type url_type NOT NULL
);

CREATE TABLE flag_url_auto_validated (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE flag_url_suspended (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE link_agencies__urls (
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    agency_id integer NOT NULL,
    id serial NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT confirmed_url_agency_pkey PRIMARY KEY (id),
    CONSTRAINT uq_confirmed_url_agency UNIQUE (url_id, agency_id),
    CONSTRAINT confirmed_url_agency_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);
ALTER SEQUENCE link_agencies__urls_id_seq RENAME TO confirmed_url_agency_id_seq;

CREATE TABLE ds_app_link_data_source (
    id serial NOT NULL,
    url_id integer,
    ds_data_source_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_data_sources_pkey PRIMARY KEY (ds_data_source_id),
    CONSTRAINT uq_url_data_sources_url_id UNIQUE (url_id),
    CONSTRAINT url_data_sources_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE SET NULL
);
ALTER SEQUENCE ds_app_link_data_source_id_seq RENAME TO url_data_source_id_seq;

CREATE TABLE ds_app_link_meta_url (
    url_id integer REFERENCES urls (id) ON DELETE SET NULL,
    ds_meta_url_id integer NOT NULL PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_ds_meta_url_url_id_key UNIQUE (url_id)
);

CREATE TABLE ds_app_link_agency (
    agency_id integer REFERENCES agencies (id) ON DELETE SET NULL,
    ds_agency_id integer NOT NULL PRIMARY KEY,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    UNIQUE (agency_id)
);

CREATE TABLE flag_ds_delete_data_source (
    ds_data_source_id integer NOT NULL PRIMARY KEY
        REFERENCES ds_app_link_data_source (ds_data_source_id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE flag_ds_delete_meta_url (
    ds_meta_url_id integer NOT NULL PRIMARY KEY REFERENCES ds_app_link_meta_url (ds_meta_url_id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE flag_ds_delete_agency (
    ds_agency_id integer NOT NULL PRIMARY KEY REFERENCES ds_app_link_agency (ds_agency_id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT now()
);

-- Tasks and bookkeeping.

CREATE TABLE link_tasks__urls (
    task_id integer NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    url_id integer NOT NULL REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_task_urls_pkey PRIMARY KEY (task_id, url_id)
);

CREATE TABLE task_errors (
    task_id integer NOT NULL REFERENCES tasks (id) ON DELETE CASCADE PRIMARY KEY,
    error text NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE tasks__log (
    task_id integer NOT NULL PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE change_log (
    id serial NOT NULL PRIMARY KEY,
    operation_type operation_type NOT NULL,
    table_name varchar NOT NULL,
    affected_id integer NOT NULL,
    old_data jsonb,
    new_data jsonb,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE sync_log (
    resource_type resource_type_enum NOT NULL,
    sync_type sync_type_enum NOT NULL,
    count integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (resource_type, sync_type, created_at)
);

CREATE TABLE huggingface_upload_state (
    id serial PRIMARY KEY,
    last_upload_at timestamp NOT NULL
);
