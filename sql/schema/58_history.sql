-- What happened to URLs.

CREATE TABLE url_history (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    event url_event NOT NULL,
    user_id integer,
    session_id uuid,
    suggestions_shown boolean,
    robots jsonb,
    detail jsonb NOT NULL DEFAULT '{}',
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_history_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE url_history IS
    'What happened to URLs, in the order of the ids. Rows are never changed; they are deleted with their URL.';
COMMENT ON COLUMN url_history.url_id IS 'No foreign key, which would slow down answers.';
COMMENT ON COLUMN url_history.user_id IS 'The user who did it; null for a session, and for what happened by itself.';
COMMENT ON COLUMN url_history.suggestions_shown IS 'Whether the annotator was shown suggestions; null for what is no answer.';
COMMENT ON COLUMN url_history.robots IS
    'What robots suggested when the URL was answered: an array of values for each attribute; null for what is no answer.';
COMMENT ON COLUMN url_history.detail IS 'The answer, the reason, the rule: what depends on the event.';

CREATE INDEX url_history_url_id_idx ON url_history (url_id, id);

-- A validation that was taken back. The URL is not validated by agreement again before there is a newer vote.
CREATE TABLE flag_url_reopened (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_reopened_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_reopened_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);
