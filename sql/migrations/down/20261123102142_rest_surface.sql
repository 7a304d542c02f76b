-- What the migration added goes, with the data in it.

-- Drop idempotency_keys, which the files do not have.
--   drops data: all rows of idempotency_keys
--   locks out readers: idempotency_keys
DROP TABLE idempotency_keys;

-- Drop an index of agencies.
--   locks out readers: agencies
DROP INDEX agencies_name_lower_idx;

-- Drop an index of agencies.
--   locks out readers: agencies
DROP INDEX agencies_name_trgm_idx;

-- Drop an index of counties.
--   locks out readers: counties
DROP INDEX counties_name_lower_idx;

-- Drop an index of counties.
--   locks out readers: counties
DROP INDEX counties_name_trgm_idx;

-- Drop an index of duplicates.
--   locks out readers: duplicates
DROP INDEX duplicates_batch_id_idx;

-- Drop an index of localities.
--   locks out readers: localities
DROP INDEX localities_name_lower_idx;

-- Drop an index of localities.
--   locks out readers: localities
DROP INDEX localities_name_trgm_idx;

-- Drop an index of locations.
--   locks out readers: locations
DROP INDEX locations_type_state_id_idx;

-- Index duplicates.
--   locks out writers: duplicates, while the index is built over all rows of duplicates
CREATE INDEX duplicates_batch_id_idx ON duplicates USING btree (batch_id);
