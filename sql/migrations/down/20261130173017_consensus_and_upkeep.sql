-- What the migration added is dropped, with the data in it.

-- Drop view consensus_rule, which the files do not have.
--   locks out readers: consensus_rule
DROP VIEW consensus_rule;

-- Drop view annotation_votes, which the files do not have.
--   locks out readers: annotation_votes
DROP VIEW annotation_votes;

-- Drop consensus_due, which the files do not have.
--   drops data: all rows of consensus_due
--   locks out readers: consensus_due
DROP TABLE consensus_due;

-- Drop consensus_facts, which the files do not have.
--   drops data: all rows of consensus_facts
--   locks out readers: consensus_facts
--   locks out readers: flag_url_validated
DROP TABLE consensus_facts;

-- Drop link_locations__urls, which the files do not have.
--   drops data: all rows of link_locations__urls
--   locks out readers: link_locations__urls
--   locks out readers: locations
--   locks out readers: urls
DROP TABLE link_locations__urls;

-- Drop task_runs, which the files do not have.
--   drops data: all rows of task_runs
--   locks out readers: task_runs
--   locks out readers: tasks
DROP TABLE task_runs;

-- Drop task_schedule, which the files do not have.
--   drops data: all rows of task_schedule
--   locks out readers: task_schedule
DROP TABLE task_schedule;
