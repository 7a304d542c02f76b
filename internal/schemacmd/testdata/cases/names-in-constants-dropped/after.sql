CREATE TABLE t (id int PRIMARY KEY, note text CONSTRAINT t_c CHECK (note <> 'color'), tag text GENERATED ALWAYS AS ('color ' || note) STORED);
CREATE INDEX t_i ON t (note) WHERE note <> 'color';
