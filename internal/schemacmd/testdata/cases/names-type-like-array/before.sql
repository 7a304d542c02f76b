CREATE TYPE "step[]" AS ENUM ('one', 'two');
CREATE TYPE "public.int" AS ENUM ('one');
CREATE TABLE t (id int PRIMARY KEY, a "step[]", b "step[]"[], c text, d "public.int");
