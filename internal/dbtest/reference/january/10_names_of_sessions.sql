-- The six revisions between December 2025 and January 2026, each in a file. The names of constraints that PostgreSQL chooses stay
-- when a table is renamed.

CREATE TABLE link__anonymous_sessions__name_suggestions (
    session_id uuid NOT NULL REFERENCES anonymous_sessions (id),
    suggestion_id integer NOT NULL REFERENCES url_name_suggestions (id),
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, suggestion_id)
);
UPDATE alembic_version SET version_num = 'dfb64594049f';
