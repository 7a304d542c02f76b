-- The next URL for user $1 by plain views: everything is counted on every read.
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
JOIN plain.unvalidated_url_view unvalidated ON unvalidated.url_id = urls.id
JOIN plain.url_annotation_count_view counts ON counts.url_id = urls.id
JOIN plain.url_annotation_flags flags ON flags.url_id = urls.id
WHERE NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM annotation__url_type__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__agency__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__location__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__record_type__user s WHERE s.url_id = urls.id AND s.user_id = $1)
ORDER BY
    EXISTS (
        SELECT FROM link_batches__urls link
        JOIN batch_followers f ON f.batch_id = link.batch_id
        WHERE link.url_id = urls.id AND f.user_id = $1
    ) DESC,
    EXISTS (
        SELECT FROM link_batches__urls link
        JOIN batch_followers f ON f.batch_id = link.batch_id
        WHERE link.url_id = urls.id
    ) DESC,
    urls.source = 'manual' DESC,
    counts.user_url_type_count DESC, counts.anon_url_type_count DESC, counts.auto_url_type_count DESC,
    urls.id
LIMIT 1;
