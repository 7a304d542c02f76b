package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// BenchmarkRead compares the smallest read on the primary with one on a standby that has nothing to replay.
func BenchmarkRead(b *testing.B) {
	servers := dbtest.NewReplicated(b)
	primary := postgres.PoolConfig{URL: servers.Primary.URL(), MaxConns: 4}
	pool, err := postgres.Open(b.Context(), primary)
	require.NoError(b, err)
	defer pool.Close()
	hot, err := postgres.OpenHotStandby(b.Context(), primary, postgres.PoolConfig{URL: servers.Standby.URL()}, func(string, error) {})
	require.NoError(b, err)
	defer hot.Close()
	for name, from := range map[string]*postgres.Pool{"primary": pool, "standby": pool.WithStandby(hot)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := postgres.Read(b.Context(), from, func(ctx context.Context, conn *postgres.Conn) (one int, err error) {
					err = conn.QueryRow(ctx, "SELECT 1").Scan(&one)
					return one, err
				})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(hot.Stats().Reads[""]), "standby-reads")
		})
	}
}
