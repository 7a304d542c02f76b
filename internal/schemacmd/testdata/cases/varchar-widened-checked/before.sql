CREATE TABLE t (id int PRIMARY KEY, a varchar(20) CONSTRAINT t_a CHECK (a <> ''));
