-- Whether Docket has adopted the database.
SELECT to_regclass('public.annotation_queue') IS NOT NULL;
