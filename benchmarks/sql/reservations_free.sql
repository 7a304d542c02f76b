-- Ends the reservation of one annotator, and returns its URL. The URL keeps its revision, so that what is shown of it stays cached.
WITH ended AS (
    DELETE FROM url_reservations WHERE annotator = $1 RETURNING url_id
), freed AS (
    UPDATE annotation_queue q SET reserved = false FROM ended WHERE q.url_id = ended.url_id AND q.reserved
)
SELECT url_id FROM ended
