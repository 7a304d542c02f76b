-- Whether convert.sql has still to run. Only the reference has endorsements of sessions whose keys do not cascade, and a check that
-- allows promoted_agency_id for pending proposals.
SELECT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = to_regclass('public.annotation__name__anon__endorsements') AND contype = 'f' AND confdeltype = 'a'
        OR conrelid = to_regclass('public.proposal__agencies') AND contype = 'c'
            AND pg_get_constraintdef(oid) LIKE ALL (ARRAY['%promoted_agency_id%', '%pending%'])
);
