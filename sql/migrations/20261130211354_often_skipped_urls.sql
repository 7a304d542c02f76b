-- Create view often_skipped_urls.
CREATE VIEW often_skipped_urls AS
SELECT skipped.url_id,
    skipped.reason,
    skipped.people
   FROM (( SELECT s.url_id,
            s.reason,
            (count(*))::integer AS people
           FROM url_skips s
          GROUP BY s.url_id, s.reason
         HAVING (count(*) >= 3)) skipped
     JOIN eligible_urls e ON ((e.url_id = skipped.url_id)));
