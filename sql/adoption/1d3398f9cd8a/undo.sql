-- From Docket's schema to what a database must be before convert.sql: the tables have Docket's constraints, indexes and views, and
-- the names of December 2025. It runs on a scratch database without rows.

ALTER TABLE annotation__url_type__user RENAME TO user_url_type_suggestions;
ALTER TABLE annotation__record_type__user RENAME TO user_record_type_suggestions;
ALTER TABLE annotation__agency__user RENAME TO user_url_agency_suggestions;
ALTER TABLE annotation__location__user RENAME TO user_location_suggestions;
ALTER TABLE annotation__url_type__anon RENAME TO anonymous_annotation_url_type;
ALTER TABLE annotation__record_type__anon RENAME TO anonymous_annotation_record_type;
ALTER TABLE annotation__agency__anon RENAME TO anonymous_annotation_agency;
ALTER TABLE annotation__location__anon RENAME TO anonymous_annotation_location;
ALTER TABLE annotation__url_type__auto RENAME TO auto_relevant_suggestions;
ALTER TABLE annotation__record_type__auto RENAME TO auto_record_type_suggestions;
ALTER TABLE annotation__agency__auto__subtasks RENAME TO url_auto_agency_id_subtasks;
ALTER TABLE annotation__agency__auto__suggestions RENAME TO agency_id_subtask_suggestions;
ALTER TABLE annotation__location__auto__subtasks RENAME TO auto_location_id_subtasks;
ALTER TABLE annotation__location__auto__suggestions RENAME TO location_id_subtask_suggestions;
ALTER TABLE annotation__name__suggestions RENAME TO url_name_suggestions;
ALTER TABLE annotation__name__user__endorsements RENAME TO link_user_name_suggestions;

CREATE TYPE url_status AS ENUM ('ok', 'duplicate', 'broken');
ALTER TABLE urls ADD COLUMN status url_status NOT NULL;
