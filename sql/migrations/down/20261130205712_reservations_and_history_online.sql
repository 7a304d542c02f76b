-- Drop an index on annotation__url_type__user.
--   locks out readers: annotation__url_type__user
DROP INDEX annotation__url_type__user_created_at_idx;

-- Drop an index on annotation_queue.
--   locks out readers: annotation_queue
DROP INDEX annotation_queue_batch_order_idx;

-- Drop an index on annotation_queue.
--   locks out readers: annotation_queue
DROP INDEX annotation_queue_order_idx;

-- Drop an index on annotation_queue.
--   locks out readers: annotation_queue
DROP INDEX annotation_queue_reserved_idx;

-- Create an index on annotation_queue.
--   locks out writers: annotation_queue, while the index is built from all rows of annotation_queue
CREATE INDEX annotation_queue_batch_order_idx ON annotation_queue USING btree (batch_id, eligible, priority, url_id) INCLUDE (changed_xid);

-- Create an index on annotation_queue.
--   locks out writers: annotation_queue, while the index is built from all rows of annotation_queue
CREATE INDEX annotation_queue_order_idx ON annotation_queue USING btree (priority, url_id) INCLUDE (changed_xid) WHERE eligible;
