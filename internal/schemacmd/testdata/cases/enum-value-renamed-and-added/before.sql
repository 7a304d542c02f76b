CREATE TYPE step AS ENUM ('one', 'two');
CREATE TABLE t (id int PRIMARY KEY, s step);
