-- The reference stops here: its statements name the tables as they were. Lock urls, so that no status changes after it was read.
--   locks out readers: urls
LOCK TABLE urls IN ACCESS EXCLUSIVE MODE;

-- Keep what urls.status says where it is not ok.
INSERT INTO url_former_status (url_id, status) SELECT id, status::text FROM urls WHERE status <> 'ok' ORDER BY id;

-- Change urls: drop column status, which url_former_status has now.
--   locks out readers: urls
ALTER TABLE urls DROP COLUMN status;

-- Drop enum url_status, which is no longer used.
DROP TYPE url_status;

-- Rename table user_url_type_suggestions; no row is read.
--   locks out readers: user_url_type_suggestions
ALTER TABLE user_url_type_suggestions RENAME TO annotation__url_type__user;

-- Rename table user_record_type_suggestions; no row is read.
--   locks out readers: user_record_type_suggestions
ALTER TABLE user_record_type_suggestions RENAME TO annotation__record_type__user;

-- Rename table user_url_agency_suggestions; no row is read.
--   locks out readers: user_url_agency_suggestions
ALTER TABLE user_url_agency_suggestions RENAME TO annotation__agency__user;

-- Rename table user_location_suggestions; no row is read.
--   locks out readers: user_location_suggestions
ALTER TABLE user_location_suggestions RENAME TO annotation__location__user;

-- Rename table anonymous_annotation_url_type; no row is read.
--   locks out readers: anonymous_annotation_url_type
ALTER TABLE anonymous_annotation_url_type RENAME TO annotation__url_type__anon;

-- Rename table anonymous_annotation_record_type; no row is read.
--   locks out readers: anonymous_annotation_record_type
ALTER TABLE anonymous_annotation_record_type RENAME TO annotation__record_type__anon;

-- Rename table anonymous_annotation_agency; no row is read.
--   locks out readers: anonymous_annotation_agency
ALTER TABLE anonymous_annotation_agency RENAME TO annotation__agency__anon;

-- Rename table anonymous_annotation_location; no row is read.
--   locks out readers: anonymous_annotation_location
ALTER TABLE anonymous_annotation_location RENAME TO annotation__location__anon;

-- Rename table auto_relevant_suggestions; no row is read.
--   locks out readers: auto_relevant_suggestions
ALTER TABLE auto_relevant_suggestions RENAME TO annotation__url_type__auto;

-- Rename table auto_record_type_suggestions; no row is read.
--   locks out readers: auto_record_type_suggestions
ALTER TABLE auto_record_type_suggestions RENAME TO annotation__record_type__auto;

-- Rename table url_auto_agency_id_subtasks; no row is read.
--   locks out readers: url_auto_agency_id_subtasks
ALTER TABLE url_auto_agency_id_subtasks RENAME TO annotation__agency__auto__subtasks;

-- Rename table agency_id_subtask_suggestions; no row is read.
--   locks out readers: agency_id_subtask_suggestions
ALTER TABLE agency_id_subtask_suggestions RENAME TO annotation__agency__auto__suggestions;

-- Rename table auto_location_id_subtasks; no row is read.
--   locks out readers: auto_location_id_subtasks
ALTER TABLE auto_location_id_subtasks RENAME TO annotation__location__auto__subtasks;

-- Rename table location_id_subtask_suggestions; no row is read.
--   locks out readers: location_id_subtask_suggestions
ALTER TABLE location_id_subtask_suggestions RENAME TO annotation__location__auto__suggestions;

-- Rename table url_name_suggestions; no row is read.
--   locks out readers: url_name_suggestions
ALTER TABLE url_name_suggestions RENAME TO annotation__name__suggestions;

-- Rename table link_user_name_suggestions; no row is read.
--   locks out readers: link_user_name_suggestions
ALTER TABLE link_user_name_suggestions RENAME TO annotation__name__user__endorsements;
