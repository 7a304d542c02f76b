INSERT INTO t SELECT g, 'x' || g FROM generate_series(1, 100) g;
