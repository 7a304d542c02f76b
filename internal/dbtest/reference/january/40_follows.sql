CREATE TABLE link__locations__user_follows (
    location_id integer NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (location_id, user_id)
);
ALTER TYPE task_type ADD VALUE 'Sync User Follows Get';
UPDATE alembic_version SET version_num = 'e88e4e962dc7';
