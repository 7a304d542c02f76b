CREATE SEQUENCE counter; CREATE TYPE t_a AS (x int); CREATE DOMAIN kind AS text;
