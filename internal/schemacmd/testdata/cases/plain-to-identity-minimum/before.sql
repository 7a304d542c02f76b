CREATE TABLE low (id int PRIMARY KEY, note text);
CREATE TABLE high (id int PRIMARY KEY, note text);
