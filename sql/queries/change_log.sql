-- name: ChangeLogInsertMany :exec
-- Logs changes of rows of one table, in the transaction that made them: the whole row of an insert or a deletion, and the
-- columns that differ of an update. An update without such columns is not logged. The arrays are of equal length.
INSERT INTO change_log (operation_type, table_name, affected_id, old_data, new_data)
SELECT @operation::operation_type, @table_name::text, change.id, change.old_data, change.new_data
FROM (
    SELECT
        given.id,
        CASE WHEN @operation::operation_type <> 'UPDATE' THEN given.old_data ELSE (
            SELECT jsonb_object_agg(field.key, field.value) FROM jsonb_each(given.old_data) AS field
            WHERE given.new_data -> field.key IS DISTINCT FROM field.value
        ) END AS old_data,
        CASE WHEN @operation::operation_type <> 'UPDATE' THEN given.new_data ELSE (
            SELECT jsonb_object_agg(field.key, field.value) FROM jsonb_each(given.new_data) AS field
            WHERE given.old_data -> field.key IS DISTINCT FROM field.value
        ) END AS new_data
    FROM (
        SELECT unnest(@ids::integer[]) AS id, unnest(@old_data::jsonb[]) AS old_data, unnest(@new_data::jsonb[]) AS new_data
    ) AS given
) AS change
WHERE change.old_data IS NOT NULL OR change.new_data IS NOT NULL
ORDER BY change.id;

-- name: ChangeLogTriggerExists :one
-- Whether a trigger of a table writes the change log, as in a database of the reference: whether the source of its function
-- contains the name of the log.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass(@table_name::text) AND NOT t.tgisinternal AND strpos(p.prosrc, 'change_log') > 0
)::boolean;
