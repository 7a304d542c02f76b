-- Rows in the tables that December does not have.

INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
SELECT s.id, n.id FROM anonymous_sessions s, annotation__name__suggestions n WHERE n.id % 7 = 1 AND s.id::text > '00000000-0000-4000-8000-000000000002';

INSERT INTO link__locations__user_follows (location_id, user_id)
SELECT l.id, n FROM locations l, generate_series(1, 3) AS n WHERE (l.id + n) % 4 = 0;
INSERT INTO link__locations__user_follows (location_id, user_id)
SELECT location_id, 1002 FROM link_batches__locations;

INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposing_user_id, proposal_status) VALUES
    ('Erie Police Department - PA', 'law enforcement', 'local', 1, 'pending'),
    ('erie  police department - pa', 'law enforcement', 'local', NULL, 'pending'),
    ('Reading Police Department - PA', 'law enforcement', 'local', 2, 'approved'),
    ('Nowhere Police Department', 'law enforcement', 'local', 3, 'rejected');
INSERT INTO proposal__link__agencies__locations (proposal_agency_id, location_id)
SELECT p.id, l.id FROM proposal__agencies p, locations l WHERE l.type = 'National' OR (l.type = 'County' AND p.id = 1);
INSERT INTO proposal__agencies__decision_info (proposal_agency_id, deciding_user_id, rejection_reason)
SELECT id, 9, CASE proposal_status WHEN 'rejected' THEN 'no such place' END FROM proposal__agencies WHERE proposal_status <> 'pending';

INSERT INTO tasks (task_type, task_status, updated_at) VALUES ('Sync User Follows Get', 'complete', '2025-12-28 04:00:00');
