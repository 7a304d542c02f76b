-- Drop the keys that forbid to delete a suggested name which sessions endorsed. Keys that delete the endorsements have replaced them.
--   locks out readers: annotation__name__anon__endorsements
--   locks out readers: anonymous_sessions
--   locks out readers: annotation__name__suggestions
ALTER TABLE annotation__name__anon__endorsements
    DROP CONSTRAINT link__anonymous_sessions__name_suggestions_session_id_fkey,
    DROP CONSTRAINT link__anonymous_sessions__name_suggestions_suggestion_id_fkey;

-- Drop the check that allows promoted_agency_id only before the approval, whatever its name is. Docket's allows it only afterwards.
--   locks out readers: proposal__agencies
DO $$
DECLARE
    upside_down name;
BEGIN
    FOR upside_down IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'proposal__agencies'::regclass AND contype = 'c'
            AND pg_get_constraintdef(oid) LIKE ALL (ARRAY['%promoted_agency_id%', '%pending%'])
    LOOP
        EXECUTE format('ALTER TABLE proposal__agencies DROP CONSTRAINT %I', upside_down);
    END LOOP;
END
$$;
