ALTER TABLE urls DROP COLUMN status;
DROP TYPE url_status;
UPDATE alembic_version SET version_num = '759ce7d0772b';
