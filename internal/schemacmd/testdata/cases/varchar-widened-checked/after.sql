CREATE TABLE t (id int PRIMARY KEY, a varchar(40) CONSTRAINT t_a CHECK (a <> ''));
