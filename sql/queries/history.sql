-- What happened to URLs. Answers and skips write their events within their own statements: submit.sql and skips.sql.

-- name: HistoryInsertMany :exec
-- Stores events in the order given. The caller holds a lock on each URL, or on its row of the queue, so that the ids of a URL's
-- events are in the order of the commits. The arrays are of equal length; an empty text means that there is no value.
INSERT INTO url_history (url_id, event, user_id, session_id, detail)
SELECT given.url_id, given.event, nullif(given.user_id, '')::integer, nullif(given.session_id, '')::uuid, given.detail
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@events::text[])::url_event AS event,
        unnest(@user_ids::text[]) AS user_id,
        unnest(@session_ids::text[]) AS session_id,
        unnest(@details::jsonb[]) AS detail
) AS given;

-- name: HistoryList :many
-- A page of the events of a URL after an id, by id.
SELECT h.id, h.url_id, h.event, h.user_id, h.session_id, h.suggestions_shown, h.robots, h.detail, h.created_at
FROM url_history h
WHERE h.url_id = @url_id AND h.id > @after_id
ORDER BY h.id
LIMIT 100;

-- name: HistoryURLExists :one
-- Whether a URL exists.
SELECT EXISTS (SELECT FROM urls WHERE urls.id = @url_id)::boolean;

-- name: HistoryDelete :exec
-- Deletes the history of a URL.
DELETE FROM url_history WHERE url_id = @url_id;
