CREATE TABLE t (id int PRIMARY KEY, a timestamp(0), b time(2), c interval(0));
