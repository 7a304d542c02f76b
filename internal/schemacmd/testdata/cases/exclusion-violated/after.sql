CREATE TABLE t (id int PRIMARY KEY, span int4range, CONSTRAINT t_x EXCLUDE USING gist (span WITH &&));
