-- What the migration added is dropped, with the data in it.

-- What the migration added is dropped, with the data in it.

-- Drop view user_passed_urls, which the files do not have.
--   locks out readers: user_passed_urls
DROP VIEW user_passed_urls;

-- Drop view user_answers, which the files do not have.
--   locks out readers: user_answers
DROP VIEW user_answers;

-- Drop view session_answers, which the files do not have.
--   locks out readers: session_answers
DROP VIEW session_answers;

-- Drop view robot_values, which the files do not have.
--   locks out readers: robot_values
DROP VIEW robot_values;

-- Drop view often_skipped_urls, which the files do not have.
--   locks out readers: often_skipped_urls
DROP VIEW often_skipped_urls;

-- Drop view anonymous_passed_urls, which the files do not have.
--   locks out readers: anonymous_passed_urls
DROP VIEW anonymous_passed_urls;

-- Drop flag_batch_suggestions_hidden, which the files do not have.
--   drops data: all rows of flag_batch_suggestions_hidden
--   locks out readers: flag_batch_suggestions_hidden
--   locks out readers: batches
DROP TABLE flag_batch_suggestions_hidden;

-- Drop flag_url_reopened, which the files do not have.
--   drops data: all rows of flag_url_reopened
--   locks out readers: flag_url_reopened
--   locks out readers: urls
DROP TABLE flag_url_reopened;

-- Drop url_history, which the files do not have.
--   drops data: all rows of url_history
--   locks out readers: url_history
DROP TABLE url_history;

-- Drop url_reservations, which the files do not have.
--   drops data: all rows of url_reservations
--   locks out readers: url_reservations
DROP TABLE url_reservations;

-- Drop url_skips, which the files do not have.
--   drops data: all rows of url_skips
--   locks out readers: url_skips
--   locks out readers: anonymous_sessions
--   locks out readers: urls
DROP TABLE url_skips;

-- Change annotation_queue: drop column reserved.
--   drops data: column reserved in all rows of annotation_queue
--   locks out readers: annotation_queue
ALTER TABLE annotation_queue DROP COLUMN reserved;

-- Set the comment of table annotation_queue.
COMMENT ON TABLE annotation_queue IS 'One row for each URL; the eligible ones in (priority, url_id) order are the queue.';

-- Set the comment of column annotation_queue.changed_xid.
COMMENT ON COLUMN annotation_queue.changed_xid IS 'The transaction that last changed what annotators are shown of the URL. Meaningless after a restore into another cluster.';

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'The eligible URLs of anonymous_url_annotations: those that an anonymous session has annotated, or had before a migration.';

-- Set the comment of table user_url_done.
COMMENT ON TABLE user_url_done IS 'The eligible URLs for which a user has a row in any of the four tables of user annotations.';

-- Drop enum skip_reason, which is no longer used.
DROP TYPE skip_reason;

-- Drop enum url_event, which is no longer used.
DROP TYPE url_event;
