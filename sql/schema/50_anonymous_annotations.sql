-- Annotations by anonymous sessions.

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
    'The key allows several types of one session for one URL. Docket stores only one; the reference may have stored more.';

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
