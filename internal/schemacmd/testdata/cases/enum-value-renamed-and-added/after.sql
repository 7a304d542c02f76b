CREATE TYPE step AS ENUM ('eins', 'two', 'three');
CREATE TABLE t (id int PRIMARY KEY, s step);
