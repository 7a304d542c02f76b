-- Drop view often_skipped_urls, which the files do not have.
--   locks out readers: often_skipped_urls
DROP VIEW often_skipped_urls;
