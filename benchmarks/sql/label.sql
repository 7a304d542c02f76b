-- What a bulk labeler stores for URLs $1; the queue is brought up to date afterwards.
INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
SELECT (SELECT min(id) FROM tasks), url_id, 'nlp_location_match', false FROM unnest($1::integer[]) AS given (url_id);
