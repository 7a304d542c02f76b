CREATE TABLE t (id int PRIMARY KEY, a int4range, b int4range, c int, CONSTRAINT t_a EXCLUDE USING gist (a WITH &&), CONSTRAINT t_b EXCLUDE USING gist (b WITH &&), CONSTRAINT t_c EXCLUDE USING btree (c WITH =));
COMMENT ON CONSTRAINT t_c ON t IS 'one of each';
