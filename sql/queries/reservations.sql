-- Reservations: the URL that each annotator works on. The order of locks is that of all writers: rows of the queue, by id, before
-- reservations. Commits do not wait for the disk: a reservation that is lost in a crash harms nothing. now is the clock of tests.
-- docs/decisions/reservations.md has the reasons.

-- name: ReservationExtend :one
-- Returns the URL that the annotator has reserved, and extends the reservation if that changes its end by a second or more. No
-- rows: there is no live reservation, or its URL is not eligible, annotated by the annotator or not in the batch, if there is one.
-- A URL that the annotator has put off was asked for afterwards: a skip ends the reservation. ahead is how many others reserved the
-- URL in a lower slot.
WITH clock AS (
    SELECT coalesce(sqlc.narg('now')::timestamptz, now()) AS now
), own AS MATERIALIZED (
    SELECT
        r.url_id, r.slot, r.suggestions_hidden, r.expires_at, q.changed_xid,
        clock.now + make_interval(secs => @seconds::double precision) AS until
    FROM clock
    CROSS JOIN url_reservations r
    JOIN annotation_queue q ON q.url_id = r.url_id
    WHERE r.annotator = @annotator
        AND r.expires_at > clock.now
        AND q.eligible
        AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        AND (
            NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = r.url_id)
            OR EXISTS (
                SELECT FROM url_skips s WHERE s.user_id = sqlc.narg('user_id')::integer AND s.url_id = r.url_id AND s.active
            )
        )
        AND (
            NOT EXISTS (
                SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = r.url_id
            )
            OR EXISTS (
                SELECT FROM url_skips s WHERE s.session_id = sqlc.narg('session_id')::uuid AND s.url_id = r.url_id AND s.active
            )
        )
), extended AS (
    UPDATE url_reservations r SET expires_at = own.until
    FROM clock
    CROSS JOIN own
    WHERE r.annotator = @annotator
        AND r.url_id = own.url_id
        AND r.expires_at > clock.now
        AND abs(extract(epoch FROM own.until - r.expires_at)) >= 1
    RETURNING r.expires_at
)
SELECT
    own.url_id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    own.changed_xid,
    own.suggestions_hidden,
    coalesce((SELECT extended.expires_at FROM extended), own.expires_at)::timestamptz AS expires_at,
    (
        SELECT count(*) FROM url_reservations r
        WHERE r.url_id = own.url_id AND r.slot < own.slot AND r.expires_at > clock.now
    )::integer AS ahead
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting
CROSS JOIN clock
CROSS JOIN own
JOIN urls ON urls.id = own.url_id;

-- name: ReservationClaim :one
-- Reserves a URL for the annotator, in place of the one that the annotator had before, if the URL is eligible, still has the
-- revision, and fewer others than needed have reserved it. found is false if the row of the queue has changed. If then as many as
-- needed have reserved the URL, its row of the queue says so, which gives it a new revision; otherwise revision is the given one.
--
-- The statement locks the row of the queue, so that claims of a URL, answers and recounts wait for each other. It may have waited
-- for the lock with an older snapshot. Locking the reservations leaves out those that were deleted since. Those that were added
-- since are not seen: they have the slot that this statement chooses, so the unique key refuses it.
WITH clock AS (
    SELECT coalesce(sqlc.narg('now')::timestamptz, now()) AS now
), former AS MATERIALIZED (
    SELECT r.url_id FROM url_reservations r WHERE r.annotator = @annotator
), locked AS MATERIALIZED (
    SELECT q.url_id, q.eligible, q.reserved, q.changed_xid
    FROM annotation_queue q
    WHERE q.url_id = ANY(array_append(ARRAY(SELECT former.url_id FROM former), @url_id::integer))
    ORDER BY q.url_id
    FOR NO KEY UPDATE
), target AS MATERIALIZED (
    SELECT locked.url_id FROM locked
    WHERE locked.url_id = @url_id AND locked.eligible AND locked.changed_xid = @revision::bigint
), expired AS (
    DELETE FROM url_reservations r
    WHERE r.url_id = (SELECT target.url_id FROM target)
        AND r.annotator <> @annotator
        AND r.expires_at <= (SELECT clock.now FROM clock)
    RETURNING r.annotator
), present AS MATERIALIZED (
    SELECT r.annotator, r.slot
    FROM url_reservations r
    WHERE r.url_id = (SELECT target.url_id FROM target)
        AND r.annotator <> ALL(ARRAY(SELECT expired.annotator FROM expired))
        AND (r.annotator <> @annotator OR r.expires_at > (SELECT clock.now FROM clock))
    FOR KEY SHARE
), judged AS MATERIALIZED (
    -- An annotator who has the URL already keeps the slot, and is not behind those in higher ones.
    SELECT
        target.url_id,
        coalesce(own.slot, (
            SELECT min(free.slot) FROM (SELECT 1 AS slot UNION ALL SELECT p.slot + 1 FROM present p) AS free
            WHERE NOT EXISTS (SELECT FROM present p WHERE p.slot = free.slot)
        )) AS slot,
        (SELECT count(*) FROM present p WHERE p.annotator <> @annotator) AS others,
        (
            SELECT count(*) FROM present p WHERE p.annotator <> @annotator AND (own.slot IS NULL OR p.slot < own.slot)
        ) AS ahead
    FROM target
    LEFT JOIN present own ON own.annotator = @annotator
), stored AS (
    INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
    SELECT
        @annotator, judged.url_id, judged.slot, @suggestions_hidden::boolean,
        (SELECT clock.now FROM clock) + make_interval(secs => @seconds::double precision)
    FROM judged
    WHERE judged.ahead < @needed::integer
    ON CONFLICT ON CONSTRAINT url_reservations_pkey DO UPDATE SET
        url_id = excluded.url_id, slot = excluded.slot,
        -- Who has seen the suggestions of the URL has seen them.
        suggestions_hidden = excluded.suggestions_hidden
            AND (url_reservations.suggestions_hidden OR url_reservations.url_id <> excluded.url_id),
        expires_at = excluded.expires_at
    RETURNING expires_at
), freed AS (
    UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    FROM locked
    CROSS JOIN stored
    WHERE q.url_id = locked.url_id AND locked.url_id <> @url_id AND locked.reserved
), filled AS (
    -- Or no longer full, if reservations were deleted that had expired.
    UPDATE annotation_queue q SET reserved = held.full, changed_xid = pg_current_xact_id()::text::bigint
    FROM (
        SELECT judged.url_id, judged.others + (SELECT count(*) FROM stored) >= @needed AS full FROM judged
    ) AS held
    WHERE q.url_id = held.url_id
        AND q.reserved <> held.full
        AND (held.full OR EXISTS (SELECT FROM expired))
    RETURNING q.changed_xid
)
SELECT
    EXISTS (SELECT FROM target)::boolean AS found,
    EXISTS (SELECT FROM stored)::boolean AS granted,
    coalesce((SELECT stored.expires_at FROM stored), clock.now)::timestamptz AS expires_at,
    coalesce((SELECT filled.changed_xid FROM filled), @revision)::bigint AS revision
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting
CROSS JOIN clock;

-- name: ReservationClaimFirst :one
-- ReservationClaim for an annotator who seems to have no reservation, for a part of its time. The same locks and the same key guard
-- it, but it does not wait for another transaction that has locked the row of the queue. If slot is 0, nothing is reserved:
--   elsewhere: the annotator has a reservation, live or not, which this statement leaves as it is.
--   expired: the URL has expired reservations, which this statement does not end.
--   full: as many as needed have reserved the URL, and its row of the queue says so.
--   none of these: the row of the queue has changed or is locked, or another annotator is taking the same slot.
WITH locked AS MATERIALIZED (
    SELECT q.url_id FROM annotation_queue q
    WHERE q.url_id = @url_id AND q.eligible AND q.changed_xid = @revision::bigint
    FOR NO KEY UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT r.slot, r.expires_at FROM url_reservations r WHERE r.url_id = (SELECT locked.url_id FROM locked) FOR KEY SHARE
), present AS MATERIALIZED (
    SELECT
        locked.url_id, counted.number, counted.slots,
        coalesce(counted.first_end <= coalesce(sqlc.narg('now')::timestamptz, now()), false) AS expired
    FROM locked
    CROSS JOIN (
        SELECT count(*) AS number, coalesce(array_agg(held.slot), '{}') AS slots, min(held.expires_at) AS first_end FROM held
    ) AS counted
), stored AS (
    INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
    SELECT
        @annotator, present.url_id,
        (SELECT min(free)::integer FROM generate_series(1, present.number + 1) AS free WHERE free <> ALL(present.slots)),
        @suggestions_hidden::boolean,
        coalesce(sqlc.narg('now')::timestamptz, now()) + make_interval(secs => @seconds::double precision)
    FROM present
    WHERE present.number < @needed::integer AND NOT present.expired
    ON CONFLICT DO NOTHING
    RETURNING slot, expires_at
), filled AS (
    UPDATE annotation_queue q SET reserved = true, changed_xid = pg_current_xact_id()::text::bigint
    FROM (
        SELECT present.url_id, present.number + (SELECT count(*) FROM stored) AS number FROM present WHERE NOT present.expired
    ) AS total
    WHERE q.url_id = total.url_id AND NOT q.reserved AND total.number >= @needed
    RETURNING q.changed_xid
)
SELECT
    coalesce(stored.slot, 0)::integer AS slot,
    coalesce(stored.expires_at, now())::timestamptz AS expires_at,
    coalesce(filled.changed_xid, @revision)::bigint AS revision,
    (stored.slot IS NULL AND EXISTS (SELECT FROM url_reservations r WHERE r.annotator = @annotator))::boolean AS elsewhere,
    coalesce(present.expired, false)::boolean AS expired,
    coalesce(present.number >= @needed::integer, false)::boolean AS "full"
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting
LEFT JOIN present ON true
LEFT JOIN stored ON true
LEFT JOIN filled ON true;

-- name: ReservationRelease :one
-- Ends the reservation of a URL, so that the URL is offered to others again. url_known is false if there is no such URL.
WITH locked AS MATERIALIZED (
    SELECT q.url_id, q.reserved FROM annotation_queue q WHERE q.url_id = @url_id FOR NO KEY UPDATE
), released AS (
    DELETE FROM url_reservations r
    USING locked
    WHERE r.annotator = @annotator AND r.url_id = locked.url_id
    RETURNING r.url_id
), freed AS (
    UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    -- By key: whether the row is reserved is known from its lock.
    FROM released
    CROSS JOIN locked
    WHERE q.url_id = released.url_id AND locked.reserved
)
SELECT EXISTS (SELECT FROM locked)::boolean AS url_known, EXISTS (SELECT FROM released)::boolean AS released
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting;

-- name: ReservationShareGet :one
-- Among the URLs that are offered to no other annotator because they are reserved, and that the annotator has not done: the one
-- with the fewest reservations of others, then the first in the order. No rows: there is none. The cost grows with the reserved
-- URLs, which are not more than the annotators at work. OFFSET 0 keeps the planner from reading all that the annotator has done.
SELECT shared.url_id, urls.url, urls.scheme, urls.trailing_slash, shared.changed_xid
FROM (
    SELECT q.url_id, q.changed_xid
    FROM annotation_queue q
    CROSS JOIN LATERAL (
        SELECT count(*) AS live
        FROM url_reservations r
        WHERE r.url_id = q.url_id
            AND r.annotator <> @annotator
            AND r.expires_at > coalesce(sqlc.narg('now')::timestamptz, now())
    ) AS held
    WHERE q.eligible
        AND q.reserved
        AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        AND NOT EXISTS (
            SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = q.url_id OFFSET 0
        )
        AND NOT EXISTS (
            SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = q.url_id OFFSET 0
        )
    ORDER BY
        held.live,
        coalesce(q.batch_id = ANY((
            SELECT f.batch_ids FROM followed_batches f WHERE f.user_id = sqlc.narg('user_id')::integer
        )::integer[]), false) DESC,
        q.priority,
        q.url_id
    LIMIT 1
) AS shared
JOIN urls ON urls.id = shared.url_id;

-- name: ReservationFirstExpiry :one
-- In how many seconds the first reservation ends of a URL that ReservationShareGet would consider; any_reserved is false without
-- one. The cost grows with the reserved URLs. OFFSET 0 keeps the planner from reading the whole queue by its key, and all
-- reservations for each URL.
SELECT
    count(*) > 0 AS any_reserved,
    coalesce(
        extract(epoch FROM min(r.expires_at) - coalesce(sqlc.narg('now')::timestamptz, now())), 0
    )::double precision AS seconds
FROM (
    SELECT q.url_id
    FROM annotation_queue q
    WHERE q.eligible
        AND q.reserved
        AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        AND NOT EXISTS (
            SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = q.url_id OFFSET 0
        )
        AND NOT EXISTS (
            SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = q.url_id OFFSET 0
        )
    OFFSET 0
) AS q
CROSS JOIN LATERAL (SELECT held.expires_at FROM url_reservations held WHERE held.url_id = q.url_id OFFSET 0) AS r;

-- name: ReservationRuleGet :one
-- The rule by which the votes about a URL say what it needs, and the revision of the URL. No rows: there is no such URL.
SELECT q.changed_xid, rule.threshold, rule.anonymous_weight
FROM annotation_queue q
CROSS JOIN consensus_rule rule
WHERE q.url_id = @url_id::integer;

-- name: ReservationVoteList :many
-- The votes about a URL, the rule, and the revision of the URL whose votes they are. No rows: there is no such URL. An empty
-- attribute: there is no vote.
-- No limit: a decision needs all votes.
-- @sqlc-vet-disable many-without-limit
SELECT
    q.changed_xid,
    q.eligible,
    rule.threshold,
    rule.anonymous_weight,
    coalesce(v.attribute, '')::text AS attribute,
    coalesce(v.value, '')::text AS value,
    count(v.user_id)::integer AS users,
    count(v.session_id)::integer AS sessions
FROM annotation_queue q
CROSS JOIN consensus_rule rule
LEFT JOIN annotation_votes v ON v.url_id = @url_id::integer
WHERE q.url_id = @url_id
GROUP BY q.url_id, rule.threshold, rule.anonymous_weight, v.attribute, v.value
ORDER BY v.attribute, v.value;

-- name: ReservationSweep :one
-- Deletes up to so many reservations that have expired, and has their URLs offered again. Rows of the queue that are locked are
-- left to the next sweep. Returns the numbers of both.
WITH clock AS (
    SELECT coalesce(sqlc.narg('now')::timestamptz, now()) AS now
), due AS MATERIALIZED (
    SELECT r.annotator, r.url_id
    FROM url_reservations r
    WHERE r.expires_at <= (SELECT clock.now FROM clock)
    ORDER BY r.expires_at
    LIMIT @most
), locked AS MATERIALIZED (
    SELECT q.url_id, q.reserved FROM annotation_queue q
    WHERE q.url_id = ANY(ARRAY(SELECT due.url_id FROM due))
    ORDER BY q.url_id
    FOR NO KEY UPDATE SKIP LOCKED
), deleted AS (
    -- Those of deleted URLs too.
    DELETE FROM url_reservations r
    USING due
    WHERE r.annotator = due.annotator
        AND r.url_id = due.url_id
        AND r.expires_at <= (SELECT clock.now FROM clock)
        AND (
            EXISTS (SELECT FROM locked WHERE locked.url_id = due.url_id)
            OR NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = due.url_id)
        )
    RETURNING r.url_id
), freed AS (
    UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    -- By key: whether a row is reserved is known from its lock.
    FROM locked
    WHERE q.url_id = locked.url_id AND locked.reserved AND EXISTS (SELECT FROM deleted WHERE deleted.url_id = locked.url_id)
    RETURNING q.url_id
)
SELECT (SELECT count(*) FROM deleted)::integer AS deleted, (SELECT count(*) FROM freed)::integer AS freed
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting;

-- name: ReservationSweepLost :one
-- Has up to so many URLs offered again that are reserved according to the queue, and by no annotator: after a crash of the server
-- there are no reservations. Returns their number. Rows of the queue that are locked are left to the next sweep. The cost grows with
-- the URLs that are reserved according to the queue, and with the reservations.
WITH lost AS MATERIALIZED (
    SELECT q.url_id
    FROM annotation_queue q
    WHERE q.url_id = ANY(ARRAY(
            SELECT held.url_id
            FROM annotation_queue held
            -- One pass over the reservations, even with a plan that was made when there were none.
            WHERE held.reserved AND held.url_id NOT IN (SELECT r.url_id FROM url_reservations r)
            ORDER BY held.priority, held.url_id
            LIMIT @most
        ))
        AND q.reserved
    ORDER BY q.url_id
    FOR NO KEY UPDATE SKIP LOCKED
), freed AS (
    UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    FROM lost -- locked, so still reserved
    WHERE q.url_id = lost.url_id
    RETURNING q.url_id
)
SELECT count(*)::integer FROM freed;

-- name: ReservationCrowdedURLList :many
-- Those of some URLs that several annotators have reserved, or that their rows of the queue say to be full.
-- No limit: a URL is returned one time.
-- @sqlc-vet-disable many-without-limit
SELECT r.url_id
FROM url_reservations r
JOIN annotation_queue q ON q.url_id = r.url_id
WHERE r.url_id = ANY(@url_ids::integer[]) AND r.expires_at > coalesce(sqlc.narg('now')::timestamptz, now())
GROUP BY r.url_id
HAVING count(*) > 1 OR bool_or(q.reserved)
ORDER BY r.url_id;

-- name: ReservationTrim :exec
-- Ends the reservations of a URL beyond so many: those in the highest slots. The caller has locked the row of the queue.
DELETE FROM url_reservations r
USING (
    SELECT live.annotator, row_number() OVER (ORDER BY live.slot) AS number
    FROM url_reservations live
    WHERE live.url_id = @url_id AND live.expires_at > coalesce(sqlc.narg('now')::timestamptz, now())
) AS numbered
WHERE r.annotator = numbered.annotator AND r.url_id = @url_id AND numbered.number > @needed::integer;

-- name: ReservationOfferAgain :exec
-- Has a URL offered again that its row of the queue says to be full, if the row still has the revision and fewer than needed have
-- reserved the URL. It also runs in transactions that store answers, so their commits have to wait for the disk.
WITH locked AS MATERIALIZED (
    SELECT q.url_id, q.reserved FROM annotation_queue q
    WHERE q.url_id = @url_id AND q.changed_xid = @revision::bigint
    FOR NO KEY UPDATE
)
UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
FROM locked
WHERE q.url_id = locked.url_id
    AND locked.reserved
    AND (
        SELECT count(*) FROM url_reservations r
        WHERE r.url_id = locked.url_id AND r.expires_at > coalesce(sqlc.narg('now')::timestamptz, now())
    ) < @needed::integer;

-- name: ReservationCount :one
-- How many annotators have a URL reserved.
SELECT count(*) FROM url_reservations r WHERE r.expires_at > now();

-- name: ReservationIsOffered :one
-- Whether the URL is eligible and not annotated by the annotator. A skip does not count: it may be offered again. No rows: there is
-- no such URL.
SELECT (
    q.eligible
    AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = sqlc.narg('user_id')::integer AND a.url_id = @url_id)
    AND NOT EXISTS (
        SELECT FROM anonymous_url_annotations a WHERE a.session_id = sqlc.narg('session_id')::uuid AND a.url_id = @url_id
    )
)::boolean AS offered
FROM annotation_queue q
WHERE q.url_id = @url_id::integer;

-- name: ReservationSuggestionsHidden :one
-- Whether the annotator was shown the URL that is reserved without suggestions. Without a reservation, which may have expired, whether
-- they are hidden as given, or its batch hides them.
SELECT coalesce(
    (SELECT r.suggestions_hidden FROM url_reservations r WHERE r.annotator = @annotator AND r.url_id = @url_id),
    @hidden::boolean OR EXISTS (
        SELECT FROM annotation_queue q
        JOIN flag_batch_suggestions_hidden flag ON flag.batch_id = q.batch_id
        WHERE q.url_id = @url_id
    )
)::boolean;

-- name: ReservationShow :exec
-- Records that the annotator, who was shown the URL without suggestions at first, is shown them now.
UPDATE url_reservations SET suggestions_hidden = false
WHERE annotator = @annotator AND url_id = @url_id AND suggestions_hidden;
