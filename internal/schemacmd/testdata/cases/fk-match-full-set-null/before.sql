CREATE TABLE m (org int NOT NULL, id int NOT NULL, PRIMARY KEY (org, id));
CREATE TABLE log (org int, who int, CONSTRAINT log_who FOREIGN KEY (org, who) REFERENCES m (org, id));
CREATE TABLE trail (org int NOT NULL, who int, CONSTRAINT trail_who FOREIGN KEY (org, who) REFERENCES m (org, id) ON DELETE SET NULL);
