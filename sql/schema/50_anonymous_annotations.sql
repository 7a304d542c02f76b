-- Annotations by anonymous sessions.

CREATE TABLE anonymous_sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT anonymous_sessions_pkey PRIMARY KEY (id)
);

CREATE TABLE annotation__url_type__anon (
    url_id integer NOT NULL,
    url_type url_type NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__url_type__anon_pkey PRIMARY KEY (session_id, url_id, url_type),
    CONSTRAINT annotation__url_type__anon_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT annotation__url_type__anon_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE annotation__url_type__anon IS
    'The key allows several types of one session for one URL. Docket stores only one; the reference may have stored more.';

CREATE INDEX annotation__url_type__anon_url_id_idx ON annotation__url_type__anon (url_id, url_type);

CREATE TABLE annotation__record_type__anon (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__record_type__anon_pkey PRIMARY KEY (session_id, url_id, record_type),
    CONSTRAINT annotation__record_type__anon_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT annotation__record_type__anon_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX annotation__record_type__anon_url_id_idx ON annotation__record_type__anon (url_id, record_type);

CREATE TABLE annotation__agency__anon (
    url_id integer NOT NULL,
    agency_id integer NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__agency__anon_pkey PRIMARY KEY (session_id, url_id, agency_id),
    CONSTRAINT annotation__agency__anon_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT annotation__agency__anon_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation__agency__anon_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

CREATE INDEX annotation__agency__anon_url_id_idx ON annotation__agency__anon (url_id, agency_id);

CREATE TABLE annotation__location__anon (
    url_id integer NOT NULL,
    location_id bigint NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__location__anon_pkey PRIMARY KEY (session_id, url_id, location_id),
    CONSTRAINT annotation__location__anon_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    CONSTRAINT annotation__location__anon_url_id_fkey
        FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation__location__anon_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX annotation__location__anon_url_id_idx ON annotation__location__anon (url_id, location_id);

CREATE TABLE annotation__name__anon__endorsements (
    session_id uuid NOT NULL,
    suggestion_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__name__anon__endorsements_pkey PRIMARY KEY (session_id, suggestion_id),
    CONSTRAINT annotation__name__anon__endorsements_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT annotation__name__anon__endorsements_suggestion_id_fkey
        FOREIGN KEY (suggestion_id) REFERENCES annotation__name__suggestions (id) ON DELETE CASCADE
);

COMMENT ON TABLE annotation__name__anon__endorsements IS 'Endorsements: a session agrees with a suggested name.';

CREATE INDEX annotation__name__anon__endorsements_suggestion_id_idx ON annotation__name__anon__endorsements (suggestion_id);

-- A migration moves a session's annotations to a user. What it moved stays known here, so that the session is not offered the
-- URLs again, and a repeated answer of it is recognised.
CREATE TABLE anonymous_migrated_answers (
    session_id uuid NOT NULL,
    url_id integer NOT NULL,
    url_types text[] NOT NULL,
    record_types text[] NOT NULL,
    agency_ids integer[] NOT NULL,
    location_ids bigint[] NOT NULL,
    names text[] NOT NULL,
    CONSTRAINT anonymous_migrated_answers_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_migrated_answers_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_migrated_answers_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE anonymous_migrated_answers IS
    'What a session had said about a URL before a migration: the values, sorted, and the texts of the endorsed names.';

CREATE INDEX anonymous_migrated_answers_url_id_idx ON anonymous_migrated_answers (url_id);

-- Written only by docket serve --one-vote-per-address.
CREATE TABLE anonymous_answer_addresses (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    session_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    CONSTRAINT anonymous_answer_addresses_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_answer_addresses_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_answer_addresses_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_answer_addresses_address_hash_check CHECK (length(address_hash) = 16)
);

COMMENT ON TABLE anonymous_answer_addresses IS
    'From which address a session answered a URL. Of the answers of one address about one URL, only that with the smallest id has votes.';
COMMENT ON COLUMN anonymous_answer_addresses.address_hash IS
    'A keyed hash of the address and the URL: an address has another hash for each URL.';

CREATE INDEX anonymous_answer_addresses_url_id_idx ON anonymous_answer_addresses (url_id, address_hash, id);
