CREATE TABLE t (id int PRIMARY KEY, a timestamptz DEFAULT current_timestamp, b text DEFAULT upper('x') || 'y', c int DEFAULT length('abc'), d interval DEFAULT '1 day'::interval * 2, e boolean DEFAULT (1 > 2), f name DEFAULT current_user);
CREATE TABLE u (id int PRIMARY KEY);
