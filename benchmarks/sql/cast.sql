-- The annotators whose next URL is measured, and the batch of 50. Each has done the head of the queue, as far as its number
-- of done URLs reaches, so that the order stays while the counts grow; 1000000 has done nothing. Needs a transaction without
-- concurrent writers.

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
) AS annotator (user_id, most, share) ON queued.place <= least(annotator.most, floor(annotator.share * queued.places));

INSERT INTO annotation__url_type__user (url_id, user_id, type)
SELECT url_id, user_id, 'data source' FROM cast_done;

INSERT INTO user_url_done (user_id, url_id)
SELECT user_id, url_id FROM cast_done;

UPDATE annotation_queue q
SET priority = q.priority - done.times
FROM (SELECT url_id, count(*)::integer AS times FROM cast_done GROUP BY url_id) AS done
WHERE done.url_id = q.url_id;

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

INSERT INTO batch_progress (batch_id, total, annotated)
SELECT batch_id, count(*), count(*) FILTER (WHERE agency_votes > 0)
FROM annotation_queue
WHERE batch_id = 1000000
GROUP BY batch_id;
