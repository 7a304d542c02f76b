CREATE TABLE t (id int PRIMARY KEY, room int, span tsrange);
