-- Annotations by signed-in users. Users are not stored here: user_id is the number in their token, without a foreign key.

CREATE TABLE annotation__url_type__user (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    type url_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__url_type__user_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT annotation__url_type__user_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX annotation__url_type__user_url_id_idx ON annotation__url_type__user (url_id, type);
-- A user lists the answers, the latest first.
CREATE INDEX annotation__url_type__user_created_at_idx ON annotation__url_type__user (user_id, created_at, url_id);

CREATE TABLE annotation__record_type__user (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__record_type__user_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT annotation__record_type__user_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX annotation__record_type__user_url_id_idx ON annotation__record_type__user (url_id, record_type);

CREATE TABLE annotation__agency__user (
    id serial NOT NULL,
    agency_id integer,
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    is_new boolean,
    CONSTRAINT annotation__agency__user_pkey PRIMARY KEY (id),
    CONSTRAINT annotation__agency__user_agency_id_url_id_user_id_key UNIQUE (agency_id, url_id, user_id),
    CONSTRAINT annotation__agency__user_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES agencies (id),
    CONSTRAINT annotation__agency__user_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation__agency__user_is_new_check CHECK (is_new IS NOT TRUE OR agency_id IS NULL)
);

COMMENT ON COLUMN annotation__agency__user.is_new IS
    'True when the annotator says the agency is missing from the catalog; agency_id is null then.';

CREATE INDEX annotation__agency__user_url_id_idx ON annotation__agency__user (url_id, agency_id);
CREATE INDEX annotation__agency__user_user_id_idx ON annotation__agency__user (user_id, url_id);

CREATE TABLE annotation__location__user (
    url_id integer NOT NULL,
    user_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__location__user_pkey PRIMARY KEY (url_id, user_id, location_id),
    CONSTRAINT annotation__location__user_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation__location__user_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX annotation__location__user_user_id_idx ON annotation__location__user (user_id, url_id);

CREATE TABLE annotation__name__suggestions (
    id serial NOT NULL,
    url_id integer NOT NULL,
    suggestion varchar(100) NOT NULL,
    source suggestion_source_enum,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__name__suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT annotation__name__suggestions_url_id_suggestion_key UNIQUE (url_id, suggestion),
    CONSTRAINT annotation__name__suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE annotation__name__user__endorsements (
    user_id integer NOT NULL,
    suggestion_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__name__user__endorsements_pkey PRIMARY KEY (user_id, suggestion_id),
    CONSTRAINT annotation__name__user__endorsements_suggestion_id_fkey
        FOREIGN KEY (suggestion_id) REFERENCES annotation__name__suggestions (id) ON DELETE CASCADE
);

COMMENT ON TABLE annotation__name__user__endorsements IS 'Endorsements: a user agrees with a suggested name.';

CREATE INDEX annotation__name__user__endorsements_suggestion_id_idx ON annotation__name__user__endorsements (suggestion_id);

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
