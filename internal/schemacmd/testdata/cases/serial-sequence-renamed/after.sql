CREATE SEQUENCE "ticket numbers" AS int INCREMENT BY 10;
CREATE TABLE t (id int NOT NULL DEFAULT nextval('"ticket numbers"') PRIMARY KEY, note text);
ALTER SEQUENCE "ticket numbers" OWNED BY t.id;
