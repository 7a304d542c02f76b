package benchmarks

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/benchmarks/measure"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// sizes are those of DOCKET_BENCH_URLS, "10000,100000" for example, or one small database.
func sizes(b *testing.B) []int {
	var list []int
	for part := range strings.SplitSeq(orDefault(os.Getenv("DOCKET_BENCH_URLS"), "1000"), ",") {
		n, err := strconv.Atoi(part)
		require.NoError(b, err, "DOCKET_BENCH_URLS")
		list = append(list, n)
	}
	return list
}

func orDefault(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// BenchmarkAnnotateAll is GET /annotate/all: as HTTP round trips, by phases, and its main query in each form. A database
// is filled once for all of them. For benchstat: -col /form, /urls or /user.
func BenchmarkAnnotateAll(b *testing.B) {
	for _, urls := range sizes(b) {
		b.Run("urls="+count(urls), func(b *testing.B) {
			pool := dbtest.New(b)
			_, err := prepareData(b.Context(), pool, urls)
			require.NoError(b, err)
			served, err := openAsServed(b.Context(), pool.Config().ConnString(), 0)
			require.NoError(b, err)
			defer served.Close()
			handler, err := NewHandler(served)
			require.NoError(b, err)
			for _, user := range []int32{NewUser, Casual, Heavy5000, Heavy50000, DoneAll} {
				b.Run("measure=http/user="+userName(user), func(b *testing.B) { benchmarkHTTP(b, handler, user) })
			}
			for _, which := range urlsByUser {
				b.Run("measure=phases/user="+userName(which.user), func(b *testing.B) { benchmarkPhases(b, handler, which.user) })
			}
			conn, err := pgx.ConnectConfig(b.Context(), served.Config().ConnConfig)
			require.NoError(b, err)
			defer conn.Close(context.Background())
			b.Run("measure=select-1", func(b *testing.B) { benchmarkQuery(b, conn, query{ask: selectOne}) })
			for _, user := range []int32{NewUser, Casual, Heavy5000, Heavy50000, DoneAll} {
				for _, q := range []query{
					rankingQuery("form=matview", ranking.Matview{}, user, nil), cold(user, nil), warmed(user, nil),
				} {
					b.Run("measure=main-query/"+q.name, func(b *testing.B) { benchmarkQuery(b, conn, q) })
				}
			}
			mended := statement("next_plain_mended")
			b.Run("measure=main-query/form=plain_mended/user=new", func(b *testing.B) {
				benchmarkQuery(b, conn, query{ask: func(ctx context.Context, conn *pgx.Conn) error {
					return askSQL(ctx, conn, mended, NewUser)
				}})
			})
		})
	}
}

// benchmarkHTTP makes requests over loopback, one after the other.
func benchmarkHTTP(b *testing.B, handler http.Handler, user int32) {
	server := httptest.NewServer(handler)
	defer server.Close()
	client, err := getAs(server.Listener.Addr().String(), "/annotate/all", user, nil)
	require.NoError(b, err)
	defer client.Close()
	require.NoError(b, client.Call(b.Context()))
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Call(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkPhases reports the time of each phase of a request, by Server-Timing.
func benchmarkPhases(b *testing.B, handler http.Handler, user int32) {
	token, err := Token(user)
	require.NoError(b, err)
	sums, n := make(map[string]float64), 0
	for b.Loop() {
		request := httptest.NewRequest(http.MethodGet, "/annotate/all", nil)
		request.Header.Set("Authorization", token)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != http.StatusOK {
			b.Fatal(response.Body.String())
		}
		for name, us := range measure.ServerTiming(response.Header().Get("Server-Timing")) {
			sums[name] += us
		}
		n++
	}
	for name, sum := range sums {
		b.ReportMetric(sum/float64(n), fmt.Sprintf("%s-us/op", name))
	}
}

func benchmarkQuery(b *testing.B, conn *pgx.Conn, q query) {
	for range measure.WarmUp {
		if q.before != nil {
			q.before()
		}
		require.NoError(b, q.ask(b.Context(), conn))
	}
	for b.Loop() {
		if q.before != nil {
			q.before()
		}
		if err := q.ask(b.Context(), conn); err != nil {
			b.Fatal(err)
		}
	}
}
