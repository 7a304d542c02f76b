INSERT INTO t (note) SELECT 'x' FROM generate_series(1, 9); DELETE FROM t WHERE id > 2; CREATE ROLE dba_n; GRANT SELECT, USAGE ON SEQUENCE t_id_seq TO dba_n;
