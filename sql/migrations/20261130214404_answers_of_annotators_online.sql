-- atlas:txmode none

-- Create an index on annotation__url_type__user.
CREATE INDEX CONCURRENTLY annotation__url_type__user_created_at_idx ON annotation__url_type__user USING btree (user_id, created_at, url_id);
