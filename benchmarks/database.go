package benchmarks

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/postgres"
	"docket/internal/sample"
	"docket/internal/schema/scratch/database"
	sqlfiles "docket/sql"
)

// The annotators of cast.sql.
const (
	NewUser    int32 = 1_000_000 // has done nothing
	Casual     int32 = 1_000_066 // the 66 URLs at the head of the queue
	Heavy5000  int32 = 1_005_000 // the 5,000 URLs at the head
	Heavy50000 int32 = 1_050_000
	DoneAll    int32 = 1_999_999 // all URLs

	Follows3     int32 = 1_000_003 // follows three locations, and has done nothing
	Follows50    int32 = 1_000_050 // follows fifty, and has done nothing
	Follows50Mid int32 = 1_000_051 // follows fifty, and has done the first 5,000 of their URLs
	Follows50End int32 = 1_000_052 // follows fifty, and has done all of their URLs

	// strangers is the first id of the users who have done nothing before they are measured.
	strangers int32 = 2_000_000
)

// The sessions of cast.sql.
var (
	NewSession   = uuid.MustParse("5e551000-0000-4000-8000-000000000000") // has done nothing
	HeavySession = uuid.MustParse("5e551000-0000-4000-8000-000000005000") // the 5,000 URLs at the head
)

// The batches of the measurements.
const (
	halfBatch  int32 = 2 // about half of the sample URLs
	smallBatch int32 = 1_000_000
)

// Prepared is the time and size of a filled database.
type Prepared struct {
	Rows        int64
	SeedSeconds float64
	CastSeconds float64
}

// Prepare fills an empty database with the schema, sample data, the annotators of the measurements and the views of the
// other forms. It then refreshes the views, and vacuums and analyzes the tables.
func Prepare(ctx context.Context, pool *postgres.Pool, urls int) (Prepared, error) {
	entries, err := fs.ReadDir(sqlfiles.Schema, ".")
	if err != nil {
		return Prepared{}, err
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(sqlfiles.Schema, entry.Name())
		if err != nil {
			return Prepared{}, err
		}
		if _, err := pool.Exec(ctx, string(text)); err != nil {
			return Prepared{}, fmt.Errorf("create schema: %s: %w", entry.Name(), err)
		}
	}
	return prepareData(ctx, pool, urls)
}

// prepareData does what comes after the schema.
func prepareData(ctx context.Context, pool *postgres.Pool, urls int) (Prepared, error) {
	begin := time.Now()
	summary, err := sample.Seed(ctx, pool, sample.Options{URLs: urls, Seed: 1})
	if err != nil {
		return Prepared{}, err
	}
	prepared := Prepared{Rows: summary.Rows, SeedSeconds: time.Since(begin).Seconds()}
	begin = time.Now()
	if err := addCast(ctx, pool); err != nil {
		return Prepared{}, err
	}
	prepared.CastSeconds = time.Since(begin).Seconds()
	return prepared, nil
}

func addCast(ctx context.Context, pool *postgres.Pool) error {
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement("cast"))
		return err
	})
	if err != nil {
		return fmt.Errorf("add annotators: %w", err)
	}
	for _, text := range []string{
		statement("plain_views"),
		"REFRESH MATERIALIZED VIEW url_annotation_count_view",
		"REFRESH MATERIALIZED VIEW url_annotation_flags",
		"VACUUM (ANALYZE)",
		"CHECKPOINT", // now rather than while something is measured
	} {
		if _, err := pool.Exec(ctx, text); err != nil {
			return fmt.Errorf("prepare database: %w", err)
		}
	}
	return nil
}

// create makes a database on the server and returns its connection string. An older one of that name is dropped.
func create(ctx context.Context, server, name string) (string, error) {
	if err := drop(ctx, server, name); err != nil {
		return "", err
	}
	if err := execute(ctx, server, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return database.URL(server, name), nil
}

func drop(ctx context.Context, server, name string) error {
	if err := execute(ctx, server, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

func execute(ctx context.Context, url, text string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, text)
	return err
}
