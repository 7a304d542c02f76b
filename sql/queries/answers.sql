-- The answers of an annotator: listing, changing and taking back. The order of the steps of a change makes it exact with concurrent
-- answers, decisions and deletions: lock the session, as its answers and its migration do, or the user, as migrations to the user
-- do; the URL, as a decision about it does; the names of the URL, as answers and robots do before they lock the queue; the row of
-- the queue; then change the rows, and recount the queue last.

-- name: AnswerUserLock :exec
-- Waits for other changes of answers of the user, and for transfers to the user, and blocks them until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('docket answers of user ' || @user_id::integer, 0));

-- name: AnswerURLLock :execrows
-- Locks a URL against deletion, decisions about it, and other changes of answers about it. It does not block new answers. No rows:
-- the URL is unknown.
SELECT FROM urls WHERE id = @url_id FOR NO KEY UPDATE;

-- name: AnswerSessionLock :execrows
-- Waits for a migration of the session, and blocks one until the end of the transaction.
SELECT FROM anonymous_sessions WHERE id = @session_id FOR SHARE;

-- name: AnswerNameLockMany :exec
-- Locks the names that annotators gave the URL, so that they can be deleted.
SELECT FROM annotation__name__suggestions WHERE url_id = @url_id AND source = 'User' ORDER BY id FOR UPDATE;

-- name: AnswerNameUpsert :exec
-- Locks a name of the URL, which is inserted if the URL does not have it: an answer locks it before the queue as well.
INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
VALUES (@url_id, @new_name::varchar, 'User')
ON CONFLICT ON CONSTRAINT annotation__name__suggestions_url_id_suggestion_key
    DO UPDATE SET source = annotation__name__suggestions.source;

-- name: AnswerNameDeleteMany :exec
-- Deletes those names that no annotator endorses any more.
DELETE FROM annotation__name__suggestions name
WHERE name.id = ANY(@name_ids::integer[]) AND name.source = 'User'
    AND NOT EXISTS (SELECT FROM annotation__name__user__endorsements e WHERE e.suggestion_id = name.id)
    AND NOT EXISTS (SELECT FROM annotation__name__anon__endorsements e WHERE e.suggestion_id = name.id);

-- name: AnswerIsMigrated :one
-- Whether the session had an answer about the URL that belongs to a user now.
SELECT EXISTS (
    SELECT FROM anonymous_migrated_answers m WHERE m.session_id = @session_id AND m.url_id = @url_id
)::boolean;

-- name: AnswerIsFinal :one
-- Whether the URL is validated, so that the answers about it stay.
SELECT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = @url_id)::boolean;

-- name: AnswerList :many
-- A page of the answers of a user, the latest first, before a time and a URL.
SELECT
    a.url_id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    a.created_at,
    a.url_type,
    coalesce(a.record_type::text, '')::text AS record_type,
    a.agency_ids::integer[] AS agency_ids,
    a.agency_not_found,
    a.location_ids::bigint[] AS location_ids,
    a.location_not_found,
    coalesce(a.name, '')::text AS name,
    EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = a.url_id)::boolean AS validated
FROM user_answers a
JOIN urls ON urls.id = a.url_id
WHERE a.user_id = @user_id AND (a.created_at, a.url_id) < (@before_time::timestamp, @before_url_id::integer)
ORDER BY a.created_at DESC, a.url_id DESC
LIMIT 100;

-- name: AnswerGet :many
-- The answer of a user about a URL; no row if there is none.
SELECT
    a.url_id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    a.created_at,
    a.url_type,
    coalesce(a.record_type::text, '')::text AS record_type,
    a.agency_ids::integer[] AS agency_ids,
    a.agency_not_found,
    a.location_ids::bigint[] AS location_ids,
    a.location_not_found,
    coalesce(a.name, '')::text AS name,
    EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = a.url_id)::boolean AS validated
FROM user_answers a
JOIN urls ON urls.id = a.url_id
WHERE a.user_id = @user_id AND a.url_id = @url_id
ORDER BY a.url_id
LIMIT 1;

-- name: AnswerDelete :many
-- Deletes the answer of a user about a URL: all rows of the user about the URL, except names that the user endorsed before the
-- answer, by submitting the URL. Returns the names that the answer endorsed and that an answer, of any annotator, has made: at its
-- time, or at that of an event that records an answer. The caller holds the locks on the names and on the row of the queue.
-- No limit: an answer endorses one name.
-- @sqlc-vet-disable many-without-limit
WITH answer AS (
    DELETE FROM annotation__url_type__user a WHERE a.user_id = @user_id::integer AND a.url_id = @url_id::integer
    RETURNING a.user_id, a.url_id, a.created_at
), record_type AS (
    DELETE FROM annotation__record_type__user a USING answer WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
), agency AS (
    DELETE FROM annotation__agency__user a USING answer WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
), location AS (
    DELETE FROM annotation__location__user a USING answer WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
), agency_not_found AS (
    DELETE FROM link_user_suggestion_agency_not_found a USING answer
    WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
), location_not_found AS (
    DELETE FROM link_user_suggestion_location_not_found a USING answer
    WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
), skip AS (
    -- Only one that was stored at the same time as the answer. Without the answer it would put the URL off again.
    DELETE FROM url_skips s USING answer WHERE s.user_id = answer.user_id AND s.url_id = answer.url_id
), endorsement AS (
    DELETE FROM annotation__name__user__endorsements e
    USING answer, annotation__name__suggestions name
    WHERE name.url_id = answer.url_id AND e.suggestion_id = name.id AND e.user_id = answer.user_id
        AND e.created_at >= answer.created_at
    RETURNING e.suggestion_id, e.created_at
)
SELECT name.id
FROM endorsement
JOIN annotation__name__suggestions name ON name.id = endorsement.suggestion_id
WHERE endorsement.created_at = name.created_at OR EXISTS (
    SELECT FROM url_history h
    WHERE h.url_id = name.url_id AND h.created_at = name.created_at
        AND h.event IN ('answered', 'changed') AND NOT h.detail ? 'cause'
)
ORDER BY name.id;

-- name: AnonymousAnswerList :many
-- AnswerList for an anonymous session. What it has migrated to a user is the user's.
SELECT
    a.url_id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    a.created_at,
    a.url_type,
    coalesce(a.record_type::text, '')::text AS record_type,
    a.agency_ids::integer[] AS agency_ids,
    a.agency_not_found,
    a.location_ids::bigint[] AS location_ids,
    a.location_not_found,
    coalesce(a.name, '')::text AS name,
    EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = a.url_id)::boolean AS validated
FROM session_answers a
JOIN urls ON urls.id = a.url_id
WHERE a.session_id = @session_id AND (a.created_at, a.url_id) < (@before_time::timestamp, @before_url_id::integer)
ORDER BY a.created_at DESC, a.url_id DESC
LIMIT 100;

-- name: AnonymousAnswerGet :many
-- AnswerGet for an anonymous session.
SELECT
    a.url_id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    a.created_at,
    a.url_type,
    coalesce(a.record_type::text, '')::text AS record_type,
    a.agency_ids::integer[] AS agency_ids,
    a.agency_not_found,
    a.location_ids::bigint[] AS location_ids,
    a.location_not_found,
    coalesce(a.name, '')::text AS name,
    EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = a.url_id)::boolean AS validated
FROM session_answers a
JOIN urls ON urls.id = a.url_id
WHERE a.session_id = @session_id AND a.url_id = @url_id
ORDER BY a.url_id
LIMIT 1;

-- name: AnonymousAnswerDelete :many
-- AnswerDelete for an anonymous session. Its endorsements are all of answers.
-- No limit: an answer endorses one name.
-- @sqlc-vet-disable many-without-limit
WITH answer AS (
    DELETE FROM annotation__url_type__anon a WHERE a.session_id = @session_id::uuid AND a.url_id = @url_id::integer
), record_type AS (
    DELETE FROM annotation__record_type__anon a WHERE a.session_id = @session_id AND a.url_id = @url_id
), agency AS (
    DELETE FROM annotation__agency__anon a WHERE a.session_id = @session_id AND a.url_id = @url_id
), location AS (
    DELETE FROM annotation__location__anon a WHERE a.session_id = @session_id AND a.url_id = @url_id
), address AS (
    DELETE FROM anonymous_answer_addresses a WHERE a.session_id = @session_id AND a.url_id = @url_id
), skip AS (
    DELETE FROM url_skips s WHERE s.session_id = @session_id AND s.url_id = @url_id
), endorsement AS (
    DELETE FROM annotation__name__anon__endorsements e
    USING annotation__name__suggestions name
    WHERE name.url_id = @url_id AND e.suggestion_id = name.id AND e.session_id = @session_id
    RETURNING e.suggestion_id, e.created_at
)
SELECT name.id
FROM endorsement
JOIN annotation__name__suggestions name ON name.id = endorsement.suggestion_id
WHERE endorsement.created_at = name.created_at OR EXISTS (
    SELECT FROM url_history h
    WHERE h.url_id = name.url_id AND h.created_at = name.created_at
        AND h.event IN ('answered', 'changed') AND NOT h.detail ? 'cause'
)
ORDER BY name.id;
