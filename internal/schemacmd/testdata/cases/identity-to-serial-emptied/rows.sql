INSERT INTO t (note) SELECT 'x' FROM generate_series(1, 9); DELETE FROM t; CREATE ROLE dba_n; GRANT USAGE ON SEQUENCE t_id_seq TO dba_n;
