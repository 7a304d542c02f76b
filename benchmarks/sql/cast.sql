-- The annotators whose next URL is measured, and their batches. Needs a transaction without concurrent writers.

-- Fifty batches of up to 1,000 URLs, each linked to a location of its own. One user follows three of the locations, three users
-- follow all.
INSERT INTO batches (id, strategy, status) SELECT 1000000 + n, 'auto_googler', 'ready to label' FROM generate_series(1, 50) AS n;

INSERT INTO link_batches__locations (batch_id, location_id)
SELECT 1000000 + row_number() OVER (ORDER BY id), id FROM (
    SELECT id FROM locations WHERE type = 'Locality' ORDER BY id LIMIT 50
) AS place;

INSERT INTO link__locations__user_follows (location_id, user_id)
SELECT link.location_id, follower.user_id
FROM link_batches__locations link
JOIN (VALUES (1000003, 3), (1000050, 50), (1000051, 50), (1000052, 50)) AS follower (user_id, locations)
    ON link.batch_id BETWEEN 1000001 AND 1000000 + follower.locations;

CREATE TEMPORARY TABLE cast_followed ON COMMIT DROP AS
SELECT url_id, 1000001 + (row_number() OVER (ORDER BY md5(url_id::text)) - 1) % 50 AS batch_id
FROM (
    SELECT q.url_id
    FROM annotation_queue q
    WHERE q.eligible AND q.batch_id = 2
    ORDER BY md5(q.url_id::text)
    LIMIT (SELECT least(50000, count(*) / 4) FROM urls)
) AS chosen;

UPDATE link_batches__urls link SET batch_id = f.batch_id FROM cast_followed f WHERE f.url_id = link.url_id;

UPDATE annotation_queue q SET batch_id = f.batch_id, followed = true FROM cast_followed f WHERE f.url_id = q.url_id;

INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
SELECT user_id, batch_ids, 3 FROM followed_batches_recount WHERE user_id > 1000000;

-- A batch of 50.
INSERT INTO batches (id, strategy, status) VALUES (1000000, 'manual', 'ready to label');

INSERT INTO link_batches__urls (batch_id, url_id)
SELECT 1000000, url_id
FROM annotation_queue
WHERE eligible AND batch_id IS NULL
ORDER BY md5(url_id::text)
LIMIT 50;

UPDATE annotation_queue q SET batch_id = link.batch_id
FROM link_batches__urls link
WHERE link.batch_id = 1000000 AND link.url_id = q.url_id;

-- Each annotator has done the head of the queue, as far as its number of done URLs reaches; 1000000 has done nothing. Two of those
-- who follow fifty locations have done 5,000 of the followed URLs, or all. They gave record types, which do not change the order.
CREATE TEMPORARY TABLE cast_done ON COMMIT DROP AS
SELECT annotator.user_id, queued.url_id
FROM (
    SELECT row_number() OVER (ORDER BY priority, url_id) AS place, count(*) OVER () AS places, url_id
    FROM annotation_queue
    WHERE eligible
) AS queued
JOIN (
    -- No more than a share of the queue, for small databases.
    VALUES (1000066, 66, 0.3), (1005000, 5000, 0.65), (1050000, 50000, 0.95), (1999999, 2147483647, 1.0)
) AS annotator (user_id, most, share) ON queued.place <= least(annotator.most, floor(annotator.share * queued.places))
UNION ALL
SELECT annotator.user_id, queued.url_id
FROM (
    SELECT row_number() OVER (ORDER BY q.priority, q.url_id) AS place, count(*) OVER () AS places, q.url_id
    FROM annotation_queue q
    JOIN cast_followed f ON f.url_id = q.url_id
) AS queued
JOIN (
    VALUES (1000051, 5000, 0.65), (1000052, 2147483647, 1.0)
) AS annotator (user_id, most, share) ON queued.place <= least(annotator.most, floor(annotator.share * queued.places));

INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
SELECT url_id, user_id, 'Other' FROM cast_done;

INSERT INTO user_url_done (user_id, url_id)
SELECT user_id, url_id FROM cast_done;

-- A session that has done the 5,000 URLs at the head.
INSERT INTO anonymous_sessions (id) VALUES ('5e551000-0000-4000-8000-000000005000');

INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
SELECT url_id, '5e551000-0000-4000-8000-000000005000', 'Other' FROM cast_done WHERE user_id = 1005000;

INSERT INTO anonymous_url_done (session_id, url_id)
SELECT '5e551000-0000-4000-8000-000000005000', url_id FROM cast_done WHERE user_id = 1005000;

INSERT INTO batch_progress (batch_id, total, annotated)
SELECT batch_id, total, annotated FROM batch_progress_recount WHERE batch_id = 2 OR batch_id >= 1000000
ON CONFLICT ON CONSTRAINT batch_progress_pkey DO UPDATE SET total = excluded.total, annotated = excluded.annotated;
