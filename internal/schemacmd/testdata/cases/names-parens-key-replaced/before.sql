CREATE TABLE stock ("no (old)" int, "x, y" int, note text, CONSTRAINT k UNIQUE ("no (old)", "x, y"));
CREATE TABLE line (id int PRIMARY KEY, a int, b int, CONSTRAINT line_fk FOREIGN KEY (a, b) REFERENCES stock ("no (old)", "x, y"));
