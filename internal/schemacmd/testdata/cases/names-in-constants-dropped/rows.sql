INSERT INTO t VALUES (1, 'red', 'n');
