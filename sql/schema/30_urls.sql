-- URLs and what is known about their pages.

CREATE TABLE urls (
    id serial NOT NULL,
    url text,
    scheme varchar,
    trailing_slash boolean NOT NULL DEFAULT false,
    collector_metadata json,
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

CREATE TABLE url_former_status (
    url_id integer NOT NULL,
    status text NOT NULL,
    CONSTRAINT url_former_status_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_former_status_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_former_status_status_check CHECK (status IN ('duplicate', 'broken'))
);

COMMENT ON TABLE url_former_status IS
    'What the dropped column urls.status contained where it was not ok. It decides nothing; it is kept so that nothing is lost.';

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
