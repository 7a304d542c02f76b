-- atlas:txmode none

-- The former indexes serve requests until the new ones are built.

-- Create an index on annotation__url_type__user.
CREATE INDEX CONCURRENTLY annotation__url_type__user_created_at_idx ON annotation__url_type__user USING btree (user_id, created_at, url_id);

-- Create an index on annotation_queue.
CREATE INDEX CONCURRENTLY annotation_queue_batch_order_idx_new ON annotation_queue USING btree (batch_id, eligible, reserved, priority, url_id) INCLUDE (changed_xid);

-- Create an index on annotation_queue.
CREATE INDEX CONCURRENTLY annotation_queue_order_idx_new ON annotation_queue USING btree (priority, url_id) INCLUDE (changed_xid) WHERE (eligible AND (NOT reserved));

-- Create an index on annotation_queue.
CREATE INDEX CONCURRENTLY annotation_queue_reserved_idx ON annotation_queue USING btree (priority, url_id) WHERE reserved;

-- Drop an index on annotation_queue.
DROP INDEX CONCURRENTLY annotation_queue_batch_order_idx;

-- Drop an index on annotation_queue.
DROP INDEX CONCURRENTLY annotation_queue_order_idx;

-- Rename the new index on annotation_queue.
ALTER INDEX annotation_queue_batch_order_idx_new RENAME TO annotation_queue_batch_order_idx;

-- Rename the new index on annotation_queue.
ALTER INDEX annotation_queue_order_idx_new RENAME TO annotation_queue_order_idx;
