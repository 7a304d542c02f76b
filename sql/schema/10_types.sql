CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- The order of the values is part of the REST contract: it breaks ties in responses.

CREATE TYPE url_source AS ENUM ('collector', 'data_sources_app', 'redirect', 'root_url', 'manual');

CREATE TYPE url_type AS ENUM (
    'data source', 'meta url', 'not relevant', 'individual record', 'not found', 'broken page'
);

CREATE TYPE record_type AS ENUM (
    'Accident Reports', 'Arrest Records', 'Calls for Service', 'Car GPS', 'Citations', 'Dispatch Logs',
    'Dispatch Recordings', 'Field Contacts', 'Incident Reports', 'Misc Police Activity',
    'Officer Involved Shootings', 'Stops', 'Surveys', 'Use of Force Reports', 'Vehicle Pursuits',
    'Complaints & Misconduct', 'Daily Activity Logs', 'Training & Hiring Info', 'Personnel Records',
    'Annual & Monthly Reports', 'Budgets & Finances', 'Geographic', 'List of Data Sources',
    'Policies & Contracts', 'Crime Maps & Reports', 'Crime Statistics', 'Media Bulletins',
    'Records Request Info', 'Resources', 'Sex Offender Registry', 'Wanted Persons', 'Booking Reports',
    'Court Cases', 'Incarceration Records', 'Other'
);

CREATE TYPE agency_type_enum AS ENUM ('unknown', 'incarceration', 'law enforcement', 'court', 'aggregated');

CREATE TYPE jurisdiction_type_enum AS ENUM (
    'school', 'county', 'local', 'port', 'tribal', 'transit', 'state', 'federal'
);

CREATE TYPE location_type AS ENUM ('National', 'State', 'County', 'Locality');

CREATE TYPE suggestion_source_enum AS ENUM ('HTML Metadata Title', 'User');

CREATE TYPE agency_auto_suggestion_method AS ENUM (
    'homepage_match', 'nlp_location_match', 'muckrock_match', 'ckan_match', 'batch_link'
);

CREATE TYPE agency_id_subtask_detail_code AS ENUM (
    'no details', 'retrieval error', 'homepage-single agency', 'homepage-multi agency'
);

CREATE TYPE auto_location_id_subtask_type AS ENUM ('nlp_location_frequency', 'batch_link');

CREATE TYPE batch_strategy AS ENUM (
    'example', 'ckan', 'muckrock_county_search', 'auto_googler', 'muckrock_all_search',
    'muckrock_simple_search', 'common_crawler', 'manual'
);

CREATE TYPE batch_status AS ENUM ('ready to label', 'error', 'in-process', 'aborted');

CREATE TYPE task_status_enum AS ENUM ('complete', 'in-process', 'error', 'aborted', 'never-completed');

CREATE TYPE task_type AS ENUM (
    'HTML', 'Relevancy', 'Record Type', 'Agency Identification', 'Misc Metadata', 'Submit Approved URLs',
    'Duplicate Detection', 'Push to Hugging Face', 'URL Probe', 'Populate Backlog Snapshot', 'Delete Old Logs',
    'Run URL Task Cycles', 'Root URL', 'Internet Archives Probe', 'Internet Archives Archive', 'Screenshot',
    'Location ID', 'Auto Validate', 'Auto Name', 'Suspend URLs', 'Submit Meta URLs', 'Delete Stale Screenshots',
    'Mark Task Never Completed', 'Task Cleanup', 'Refresh Materialized Views', 'Sync Agencies Add',
    'Sync Agencies Update', 'Sync Agencies Delete', 'Sync Data Sources Add', 'Sync Data Sources Update',
    'Sync Data Sources Delete', 'Sync Meta URLs Add', 'Sync Meta URLs Update', 'Sync Meta URLs Delete',
    'Update URL Status', 'Integrity Monitor', 'Sync User Follows Get'
);

CREATE TYPE url_html_content_type AS ENUM ('Title', 'Description', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'Div');

CREATE TYPE scrape_status AS ENUM ('success', 'error');

CREATE TYPE operation_type AS ENUM ('UPDATE', 'DELETE', 'INSERT');

CREATE TYPE proposal_status_enum AS ENUM ('pending', 'approved', 'rejected');

CREATE TYPE agency_aggregation_enum AS ENUM ('federal', 'state', 'county', 'local');

CREATE TYPE update_method_enum AS ENUM ('Overwrite', 'Insert', 'No updates');

CREATE TYPE retention_schedule_enum AS ENUM (
    'Future only', '1 month', '1 day', '1 week', '1-10 years', '< 1 day', '< 1 week', '< 1 year', '> 10 years'
);

CREATE TYPE access_type_enum AS ENUM ('Webpage', 'Download', 'API');

CREATE TYPE resource_type_enum AS ENUM ('agency', 'data_source', 'meta_url');

CREATE TYPE sync_type_enum AS ENUM ('add', 'update', 'delete');

-- Docket's own.

CREATE TYPE skip_reason AS ENUM ('not sure', 'page does not load', 'language', 'needs sign-in', 'other');

CREATE TYPE url_event AS ENUM (
    'answered', 'changed', 'taken back', 'skipped', 'suggested', 'validated', 'reopened', 'suspended'
);

-- Three types that no column uses any more. A database of the reference has them, and Docket does not drop them.

CREATE TYPE url_attribute AS ENUM ('Record Type', 'Agency', 'Relevant');

CREATE TYPE metadata_validation_status AS ENUM ('Pending Validation', 'Validated');

CREATE TYPE validation_source AS ENUM ('Machine Learning', 'Label Studio', 'Manual');
