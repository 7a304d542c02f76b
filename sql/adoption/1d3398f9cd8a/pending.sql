-- Whether convert.sql has still to run.
SELECT to_regclass('public.user_url_type_suggestions') IS NOT NULL;
