CREATE TYPE b AS ENUM ('y', 'x', 'z');
CREATE TABLE t (id int PRIMARY KEY, s b DEFAULT 'z', CONSTRAINT t_s CHECK (s IN ('x', 'y')));
CREATE INDEX t_i ON t (s) WHERE s <> 'x';
CREATE VIEW v AS SELECT id FROM t WHERE s = 'y';
