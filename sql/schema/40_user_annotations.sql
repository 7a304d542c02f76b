-- Annotations by signed-in users. Users are not stored here: user_id is the number in their token, without a foreign key.

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

COMMENT ON TABLE link_user_name_suggestions IS 'Endorsements: a user agrees with a suggested name.';

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

COMMENT ON TABLE reviewing_user_url IS 'Manual reviews from the time before agreement decided; only url_annotation_flags reads them.';
