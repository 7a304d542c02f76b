CREATE TYPE step AS ENUM ('zero', 'one', 'two');
CREATE TABLE t (id int PRIMARY KEY, s step, w step[], n int GENERATED ALWAYS AS (CASE WHEN s = 'two' THEN 2 ELSE 1 END) STORED);
CREATE MATERIALIZED VIEW m AS SELECT id, 'two'::step AS next, w FROM t WHERE s < 'two';
CREATE UNIQUE INDEX m_id ON m (id);
