-- The revisions of the reference's schema that a database has: one, unless its migrations have several heads.
SELECT version_num FROM public.alembic_version ORDER BY version_num;
