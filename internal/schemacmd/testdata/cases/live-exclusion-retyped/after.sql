CREATE TABLE t (id int PRIMARY KEY, room bigint, span tsrange);
