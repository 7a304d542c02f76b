CREATE TABLE t (id int PRIMARY KEY, weight int, note text, tag text GENERATED ALWAYS AS (note || ' weight') STORED, CONSTRAINT t_c CHECK (note <> 't.weight'));
CREATE INDEX t_i ON t ((note || 'weight')) WHERE note <> 'weight';
CREATE VIEW v AS SELECT id, 'weight' AS weight FROM t;
