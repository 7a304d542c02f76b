package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestCheckUsable(t *testing.T) {
	t.Parallel()
	url := newDatabase(t) + "&pool_max_conns=3&keepalives_idle=4"
	require.NoError(t, CheckUsable(t.Context(), url))

	for _, encoding := range []string{"SQL_ASCII", "LATIN1"} {
		name := "encoded_" + strings.ToLower(encoding)
		execute(t, shared.server.URL(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING '%s' LOCALE 'C'", name, encoding))
		defer execute(t, shared.server.URL(), "DROP DATABASE "+name)
		err := CheckUsable(t.Context(), shared.server.URL()+"&dbname="+name)
		require.ErrorIs(t, err, ErrEncoding)
		require.ErrorContains(t, err, "createdb --encoding=UTF8")
		require.ErrorContains(t, err, encoding)
	}

	err := CheckUsable(t.Context(), "postgres:///docket?host="+t.TempDir())
	require.True(t, IsUnavailable(err), err)
}

// A database that becomes read-only, and writable again, is seen at once, also by sessions of the pool that began meanwhile.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int)")
	health := NewHealth(url)
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 1, Served: true, Health: health})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	insert := func() error {
		return InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES (1)")
			return err
		})
	}
	require.NoError(t, health.Check(t.Context()))
	setting := func(change string) {
		execute(t, shared.server.URL(), "ALTER DATABASE "+pgx.Identifier{pool.Config().ConnConfig.Database}.Sanitize()+change)
	}
	setting(" SET default_transaction_read_only = on")
	pool.Reset()
	require.True(t, IsUnavailable(insert()))
	require.ErrorIs(t, health.Check(t.Context()), ErrReadOnly)
	setting(" RESET default_transaction_read_only")
	require.NoError(t, health.Check(t.Context()))
	require.NoError(t, insert(), "the session that was read-only has been replaced")
	require.Equal(t, "1", value(t, url, "SELECT count(*)::text FROM fact"))
}

// A pool whose connections are all in use does not make the database unready, a full disk does.
func TestHealth(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	health := NewHealth(url)
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 1, Health: health})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	require.NoError(t, health.Check(t.Context()))
	held.Release()

	raise := func(state string) {
		_, err := pool.Exec(t.Context(), fmt.Sprintf("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$", state))
		require.ErrorContains(t, err, state)
	}
	raise("53400") // the statement needed too much
	raise("55P03")
	raise("23505")
	require.NoError(t, health.Check(t.Context()))
	for _, state := range []string{"53100", "53200", "58030"} {
		raise(state)
		err := health.Check(t.Context())
		require.ErrorContains(t, err, state)
		require.True(t, IsUnavailable(err))
		health.lacked.Store(&lack{time.Now().Add(-lackingFor), &pgconn.PgError{Code: state}})
		require.NoError(t, health.Check(t.Context()), "a write succeeds some time later")
		require.Nil(t, health.lacked.Load())
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, health.Check(gone))
}

// When the server has no connection left for a check, it is asked over the one that the last check has kept.
func TestHealthWithoutAFreeConnection(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	role := "few_" + strings.ToLower(rand.Text()[:8])
	execute(t, url, "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 1")
	defer execute(t, shared.server.URL(), "DROP ROLE "+role)
	health := NewHealth(url + "&user=" + role)
	defer health.Close()
	for range 3 {
		require.NoError(t, health.Check(t.Context()))
	}

	// Another client takes the only connection.
	execute(t, url, "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = '"+role+"'")
	other, err := pgx.Connect(t.Context(), url+"&user="+role)
	require.NoError(t, err)
	err = health.Check(t.Context())
	require.True(t, IsBusy(err), err)
	require.NoError(t, other.Close(t.Context()))
	require.Eventually(t, func() bool { return health.Check(t.Context()) == nil }, time.Minute, time.Millisecond)
}
