CREATE TYPE kind AS ENUM ('a');
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE TABLE counter (id int PRIMARY KEY);
CREATE INDEX t_a ON t (a);
