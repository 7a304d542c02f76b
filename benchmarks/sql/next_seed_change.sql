-- The same once both views are materialized and joined by outer joins. A URL without a row counts 0.
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
JOIN plain.unvalidated_url_view unvalidated ON unvalidated.url_id = urls.id
LEFT JOIN url_annotation_count_view counts ON counts.url_id = urls.id
LEFT JOIN url_annotation_flags flags ON flags.url_id = urls.id
WHERE urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM annotation__url_type__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__agency__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__location__user s WHERE s.url_id = urls.id AND s.user_id = $1)
    AND NOT EXISTS (SELECT FROM annotation__record_type__user s WHERE s.url_id = urls.id AND s.user_id = $1)
ORDER BY coalesce(counts.total_anno_count, 0) DESC, urls.id
LIMIT 1;
