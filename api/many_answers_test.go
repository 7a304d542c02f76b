package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// Annotators answer so many times that the queue keeps a cursor for them, which the short scripts do not. Each response has the
// next URL, and the last one has none.
func TestManyAnswers(t *testing.T) {
	t.Parallel()
	const urls = 90 // from 64 done URLs on there is a cursor
	for name, by := range map[string]struct{ path, query, bearer, warm string }{
		"user":          {"/annotate/all", "", tokenFor(t, 7), "QueueNextGetWarm "},
		"user in batch": {"/annotate/all", "?batch_id=1", tokenFor(t, 7), "QueueNextGetWarmInBatch "},
		"session":       {"/annotate/anonymous", "?session_id=" + uuid.NewString(), "", "QueueNextGetWarmAnonymous "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, recorder := dbtest.Record(t, dbtest.New(t))
			dbtest.Exec(t, pool, fmt.Sprintf(`
				INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, %d) AS n;
				INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
				INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, id FROM urls`, urls))
			require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
			handler := api.Conforming(t, newHandler(t, pool, ranking.NewQueue(), zap.NewNop()))
			for id := 1; id <= urls; id++ {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("%s/%d%s", by.path, id, by.query),
					strings.NewReader(`{"suggested_status": "not relevant"}`))
				request.Header.Set("Content-Type", "application/json")
				if by.bearer != "" {
					request.Header.Set("Authorization", "Bearer "+by.bearer)
				}
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				require.Equal(t, http.StatusOK, response.Code, response.Body)

				var got struct {
					Next *struct {
						URL struct {
							ID int `json:"url_id"`
						} `json:"url_info"`
					} `json:"next_annotation"`
				}
				require.NoError(t, json.Unmarshal(response.Body.Bytes(), &got))
				if id == urls {
					require.Nil(t, got.Next)
					break
				}
				require.NotNil(t, got.Next, "after %d answers: %s", id, response.Body)
				require.Equal(t, id+1, got.Next.URL.ID)
			}
			require.True(t, slices.ContainsFunc(recorder.Statements, func(statement dbtest.Statement) bool {
				return strings.HasPrefix(statement.SQL, "-- name: "+by.warm)
			}), "no warm statement was executed")
		})
	}
}
