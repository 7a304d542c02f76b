-- Which locations users follow. The data-sources application owns the follows; an import or a client copies them here.

CREATE TABLE link__locations__user_follows (
    location_id integer NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link__locations__user_follows_pkey PRIMARY KEY (location_id, user_id),
    CONSTRAINT link__locations__user_follows_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON TABLE link__locations__user_follows IS
    'Every change runs within ranking.ChangeFollows, which updates annotation_queue and followed_batches in the same transaction.';

CREATE INDEX link__locations__user_follows_user_id_idx ON link__locations__user_follows (user_id, location_id);
