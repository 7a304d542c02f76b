package api_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/dbtest"
	"docket/internal/faultproxy"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

var lostCommits = flag.Int("lost-commits", 20, "requests of each operation in TestLostCommits")

// TestLostCommits sends requests with keys while the connection to the database breaks at most COMMITs, before or after the server
// has received them, and repeats each until it succeeds, as a 503 invites to. Each has one effect, and each success has its own result.
//
//	go test ./api -run TestLostCommits/POST_/agencies$ -lost-commits 1000 -v
func TestLostCommits(t *testing.T) {
	t.Parallel()
	for name, operation := range keyedOperations {
		if name == "PUT /follows" {
			continue // each replaces the effect of the one before
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := *lostCommits
			url := dbtest.URL(t)
			direct, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: url, MaxConns: 2})
			require.NoError(t, err)
			t.Cleanup(direct.Close)
			keyedData(t, direct, n)
			before := dbtest.Count(t, direct, operation.effects)
			proxy := faultproxy.New(t, url)
			pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: proxy.URL(), MaxConns: 8, Served: true})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			handler := newHandler(t, pool, ranking.NewQueue(), zap.NewNop(), func(cfg *api.Config) {
				cfg.Unavailable = postgres.IsUnavailable
			})
			proxy.Set(
				faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeStatement, Do: faultproxy.Cut, Probability: 0.3},
				faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Cut, Probability: 0.3},
			)
			client := lossyClient{handler: handler, statuses: map[int]int{}}
			var numbers atomic.Int64
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					for number := int(numbers.Add(1)); number <= n; number = int(numbers.Add(1)) {
						client.succeed(t, name, operation, number)
					}
				})
			}
			workers.Wait()
			proxy.Set()
			t.Logf("%d requests, %d cuts, statuses %v", n, proxy.Faults(), client.statuses)
			require.Positive(t, proxy.Faults())
			require.Equal(t, n, dbtest.Count(t, direct, operation.effects)-before, "effects")
			require.Equal(t, n, dbtest.Count(t, direct, "SELECT count(*) FROM idempotency_keys"))
			if id := client.ids(); len(id) > 0 {
				require.Len(t, slices.Compact(id), n, "each success is of another row")
			}
			for status := range client.statuses {
				require.Contains(t, []int{
					cmp.Or(operation.status, http.StatusOK), http.StatusConflict, http.StatusServiceUnavailable,
				}, status)
			}
		})
	}
}

// lossyClient repeats requests until they succeed.
type lossyClient struct {
	handler http.Handler

	mu       sync.Mutex
	statuses map[int]int
	bodies   [][]byte
}

func (c *lossyClient) succeed(t *testing.T, name string, operation keyedOperation, number int) {
	for {
		response := httptest.NewRecorder()
		c.handler.ServeHTTP(response, operation.request(t, name, number))
		c.mu.Lock()
		c.statuses[response.Code]++
		success := cmp.Or(operation.status, http.StatusOK)
		if response.Code == success {
			c.bodies = append(c.bodies, response.Body.Bytes())
		}
		c.mu.Unlock()
		switch response.Code {
		case success:
			return
		case http.StatusServiceUnavailable, http.StatusConflict:
			if response.Header().Get("Retry-After") == "" {
				t.Errorf("%s %d got %d without Retry-After: %s", name, number, response.Code, response.Body)
				return
			}
		default:
			t.Errorf("%s %d got %d: %s", name, number, response.Code, response.Body)
			return
		}
	}
}

// ids returns the ids of what the requests have created, sorted, if the operation creates something.
func (c *lossyClient) ids() (ids []int) {
	for _, body := range c.bodies {
		var created struct {
			AgencyID   int `json:"agency_id"`
			LocationID int `json:"location_id"`
			ProposalID int `json:"proposal_id"`
			BatchID    int `json:"batch_id"`
			URLID      int `json:"url_id"`
		}
		if json.Unmarshal(body, &created) == nil {
			if id := cmp.Or(created.AgencyID, created.LocationID, created.ProposalID, created.BatchID, created.URLID); id != 0 {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}
