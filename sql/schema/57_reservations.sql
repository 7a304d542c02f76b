-- Who is working on which URL, and who has put which URL off. The statements are in sql/queries/reservations.sql and skips.sql.

-- The file is not truncated when it is empty: a statement that is planned then is used until the next ANALYZE, and for an empty file
-- it would read the whole table.
CREATE UNLOGGED TABLE url_reservations (
    annotator text NOT NULL,
    url_id integer NOT NULL,
    slot integer NOT NULL,
    suggestions_hidden boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT url_reservations_pkey PRIMARY KEY (annotator),
    CONSTRAINT url_reservations_url_id_slot_key UNIQUE (url_id, slot),
    CONSTRAINT url_reservations_slot_check CHECK (slot > 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = false);

COMMENT ON TABLE url_reservations IS
    'The URL that each annotator works on. Soft state: after a crash of the server it is empty, which harms nothing.';
COMMENT ON COLUMN url_reservations.annotator IS 'The id of a user or the UUID of a session, as text, as in docket queue verify.';
COMMENT ON COLUMN url_reservations.url_id IS
    'No foreign key, which would slow down requests: the row of a URL that another program deletes is removed once it has expired.';
COMMENT ON COLUMN url_reservations.slot IS
    'At most as large as the answers that the URL needed. So the unique key bounds the reservations of a URL.';
COMMENT ON COLUMN url_reservations.suggestions_hidden IS 'Whether the annotator was shown the URL without suggestions.';

CREATE INDEX url_reservations_expires_at_idx ON url_reservations (expires_at);

CREATE TABLE url_skips (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    user_id integer,
    session_id uuid,
    reason skip_reason NOT NULL,
    note text,
    active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now(),
    returns_at timestamptz,
    CONSTRAINT url_skips_pkey PRIMARY KEY (id),
    CONSTRAINT url_skips_user_id_url_id_key UNIQUE (user_id, url_id),
    CONSTRAINT url_skips_session_id_url_id_key UNIQUE (session_id, url_id),
    CONSTRAINT url_skips_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_skips_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT url_skips_annotator_check CHECK (num_nonnulls(user_id, session_id) = 1),
    CONSTRAINT url_skips_note_check CHECK (length(note) <= 500)
);

COMMENT ON TABLE url_skips IS
    'URLs that annotators did not answer, one row for each annotator and URL: the latest. An answer deletes it.';
COMMENT ON COLUMN url_skips.active IS 'Whether the URL still comes after all others for the annotator.';
COMMENT ON COLUMN url_skips.returns_at IS 'When it stops being active; null for not before the annotator has nothing else left.';

CREATE INDEX url_skips_url_id_idx ON url_skips (url_id, reason);
CREATE INDEX url_skips_returns_at_idx ON url_skips (returns_at) WHERE active;
