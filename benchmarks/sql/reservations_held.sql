-- The votes about the URLs that several annotators have reserved, in one snapshot. An empty attribute: there is no vote.
SELECT
    held.url_id,
    held.live,
    rule.threshold,
    rule.anonymous_weight,
    coalesce(v.attribute, '') AS attribute,
    coalesce(v.value, '') AS value,
    count(v.user_id)::integer AS users,
    count(v.session_id)::integer AS sessions
FROM (
    SELECT r.url_id, count(*)::integer AS live
    FROM url_reservations r
    WHERE r.expires_at > now()
    GROUP BY r.url_id
    HAVING count(*) > 1
) AS held
JOIN annotation_queue q ON q.url_id = held.url_id AND q.eligible
CROSS JOIN consensus_rule rule
LEFT JOIN LATERAL (SELECT * FROM annotation_votes a WHERE a.url_id = held.url_id OFFSET 0) AS v ON true
GROUP BY held.url_id, held.live, rule.threshold, rule.anonymous_weight, v.attribute, v.value
