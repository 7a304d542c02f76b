INSERT INTO t (note) SELECT 'x' FROM generate_series(1, 9); DELETE FROM t WHERE id > 5;
