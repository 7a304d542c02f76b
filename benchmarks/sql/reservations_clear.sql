-- Ends all reservations.
WITH ended AS (
    DELETE FROM url_reservations
)
UPDATE annotation_queue SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint WHERE reserved
