-- Triggers. They fit the tables of January and Docket's schema as well.

CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;

-- The triggers of a renamed table keep their names.
DO $$
DECLARE
    stamped text;
    renamed text;
BEGIN
    FOR stamped, renamed IN
        SELECT t, coalesce(to_regclass(t)::text, n)
        FROM (VALUES
            ('agencies', NULL), ('urls', NULL), ('tasks', NULL), ('flag_url_validated', NULL), ('link_batches__urls', NULL),
            ('link_agencies__urls', NULL), ('user_url_type_suggestions', 'annotation__url_type__user'),
            ('user_record_type_suggestions', 'annotation__record_type__user'),
            ('auto_record_type_suggestions', 'annotation__record_type__auto'),
            ('auto_relevant_suggestions', 'annotation__url_type__auto'), ('url_record_type', NULL),
            ('url_optional_data_source_metadata', NULL), ('url_compressed_html', NULL), ('url_scrape_info', NULL),
            ('url_screenshot', NULL), ('url_web_metadata', NULL), ('link_urls_redirect_url', NULL), ('link_urls_root_url', NULL),
            ('url_internet_archives_probe_metadata', NULL)
        ) AS tables (t, n)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER trg_%s_updated_at BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION set_updated_at()',
            stamped, renamed);
    END LOOP;
END
$$;

CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change_log (operation_type, table_name, affected_id, new_data)
        VALUES ('INSERT', TG_TABLE_NAME, NEW.id, to_jsonb(NEW));
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change_log (operation_type, table_name, affected_id, old_data)
        VALUES ('DELETE', TG_TABLE_NAME, OLD.id, to_jsonb(OLD));
    ELSE
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value) INTO before, after
        FROM jsonb_each(to_jsonb(OLD)) o
        JOIN jsonb_each(to_jsonb(NEW)) n ON n.key = o.key
        WHERE n.value IS DISTINCT FROM o.value;
        IF after IS NOT NULL THEN
            INSERT INTO change_log (operation_type, table_name, affected_id, old_data, new_data)
            VALUES ('UPDATE', TG_TABLE_NAME, NEW.id, before, after);
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER log_agencies_changes AFTER INSERT OR UPDATE OR DELETE ON agencies
    FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER log_urls_changes AFTER INSERT OR UPDATE OR DELETE ON urls
    FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER log_link_agencies__urls_changes AFTER INSERT OR UPDATE OR DELETE ON link_agencies__urls
    FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER log_ds_app_link_data_source_changes AFTER INSERT OR UPDATE OR DELETE ON ds_app_link_data_source
    FOR EACH ROW EXECUTE FUNCTION log_change();

-- A change of a link sets updated_at of the linked row, per statement.

CREATE FUNCTION bump_linked_urls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE urls SET updated_at = now() WHERE id IN (SELECT url_id FROM touched);
    RETURN NULL;
END
$$;

CREATE TRIGGER bump_urls_after_insert AFTER INSERT ON link_agencies__urls
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_urls();
CREATE TRIGGER bump_urls_after_update AFTER UPDATE ON link_agencies__urls
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_urls();
CREATE TRIGGER bump_urls_after_delete AFTER DELETE ON link_agencies__urls
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_urls();

CREATE FUNCTION bump_linked_agencies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE agencies SET updated_at = now() WHERE id IN (SELECT agency_id FROM touched);
    RETURN NULL;
END
$$;

CREATE TRIGGER bump_agencies_after_insert AFTER INSERT ON link_agencies__locations
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_agencies();
CREATE TRIGGER bump_agencies_after_update AFTER UPDATE ON link_agencies__locations
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_agencies();
CREATE TRIGGER bump_agencies_after_delete AFTER DELETE ON link_agencies__locations
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION bump_linked_agencies();

-- A new state, county or locality gets its location.

CREATE FUNCTION locate_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO locations (type, state_id) VALUES ('State', NEW.id);
    RETURN NEW;
END
$$;

CREATE FUNCTION locate_county() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO locations (type, state_id, county_id) VALUES ('County', NEW.state_id, NEW.id);
    RETURN NEW;
END
$$;

CREATE FUNCTION locate_locality() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO locations (type, state_id, county_id, locality_id)
    VALUES ('Locality', (SELECT c.state_id FROM counties c WHERE c.id = NEW.county_id), NEW.county_id, NEW.id);
    RETURN NEW;
END
$$;

CREATE TRIGGER after_state_insert AFTER INSERT ON us_states FOR EACH ROW EXECUTE FUNCTION locate_state();
CREATE TRIGGER after_county_insert AFTER INSERT ON counties FOR EACH ROW EXECUTE FUNCTION locate_county();
CREATE TRIGGER after_locality_insert AFTER INSERT ON localities FOR EACH ROW EXECUTE FUNCTION locate_locality();

CREATE FUNCTION refuse_new_agency_with_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.is_new AND NEW.agency_id IS NOT NULL THEN
        RAISE EXCEPTION 'a new agency has no agency_id';
    END IF;
    RETURN NEW;
END
$$;

DO $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER check_is_new_agency BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION refuse_new_agency_with_id()',
        coalesce(to_regclass('user_url_agency_suggestions'), to_regclass('annotation__agency__user')));
END
$$;
