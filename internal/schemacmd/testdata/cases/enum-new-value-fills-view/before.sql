CREATE TYPE step AS ENUM ('one');
CREATE TABLE t (id int PRIMARY KEY, s step, w text[]);
