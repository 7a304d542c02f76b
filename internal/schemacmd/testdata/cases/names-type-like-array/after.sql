CREATE TYPE "step[]" AS ENUM ('one', 'two', 'three');
CREATE TYPE "public.int" AS ENUM ('one', 'more');
CREATE TABLE t (id int PRIMARY KEY, a "step[]" DEFAULT 'three', b "step[]"[] DEFAULT '{three}', c "step[]", d "public.int" DEFAULT 'more');
