-- From Docket's schema to what a database must be before convert.sql: rules of the reference and of Docket next to each other. It
-- runs on a scratch database without rows.

ALTER TABLE annotation__name__anon__endorsements
    ADD CONSTRAINT link__anonymous_sessions__name_suggestions_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id),
    ADD CONSTRAINT link__anonymous_sessions__name_suggestions_suggestion_id_fkey
        FOREIGN KEY (suggestion_id) REFERENCES annotation__name__suggestions (id);

ALTER TABLE proposal__agencies
    ADD CONSTRAINT proposal__agencies_check CHECK (promoted_agency_id IS NULL OR proposal_status = 'pending');
