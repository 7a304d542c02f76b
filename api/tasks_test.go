package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/api"
	"docket/internal/convert"
	"docket/internal/dbtest"
)

// The types and statuses by which tasks can be filtered are those of the database.
func TestContractNamesTaskTypes(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	doc, err := api.Contract()
	require.NoError(t, err)
	for schema, enum := range map[string]string{"KnownTaskType": "task_type", "TaskStatus": "task_status_enum"} {
		named := convert.Each(doc.Components.Schemas[schema].Value.Enum, func(value any) string { return value.(string) })
		require.Equal(t, dbtest.List(t, pool, "SELECT unnest(enum_range(NULL::"+enum+"))::text"), named, schema)
	}
}
