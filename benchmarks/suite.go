package benchmarks

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/postgres"
)

// Run measures databases of the given numbers of URLs on a PostgreSQL server, one after the other, the smallest first.
// Each database is made for the run and dropped after it.
func Run(ctx context.Context, server string, sizes []int, opts Options) (*Report, error) {
	report := &Report{At: time.Now().UTC()}
	version, err := serverVersion(ctx, server)
	if err != nil {
		return nil, err
	}
	report.Machine = describeMachine(version)
	report.Machine.Load[0] = loadAverage()
	for _, urls := range sizes {
		size, err := runSize(ctx, server, urls, opts)
		if err != nil {
			return nil, fmt.Errorf("%s URLs: %w", count(urls), err)
		}
		report.Sizes = append(report.Sizes, *size)
	}
	report.Targets = judge(report.Sizes)
	report.Machine.Load[1] = loadAverage()
	report.Seconds = time.Since(report.At).Seconds()
	return report, nil
}

func runSize(ctx context.Context, server string, urls int, opts Options) (_ *Size, err error) {
	report := opts.Progress
	opts.Progress = func(what string) {
		if report != nil {
			report(count(urls) + " URLs: " + what)
		}
	}
	name := fmt.Sprintf("docket_benchmark_%d", urls)
	url, err := create(ctx, server, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if dropErr := drop(context.WithoutCancel(ctx), server, name); err == nil {
			err = dropErr
		}
	}()
	opts.Progress("seed")
	pool, err := postgres.Open(ctx, postgres.PoolConfig{URL: url})
	if err != nil {
		return nil, err
	}
	prepared, err := Prepare(ctx, pool, urls)
	pool.Close()
	if err != nil {
		return nil, err
	}
	size := &Size{URLs: urls, Rows: prepared.Rows, SeedSeconds: prepared.SeedSeconds}
	return size, measureAll(ctx, url, size, opts)
}

func serverVersion(ctx context.Context, server string) (version string, err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

func describeMachine(postgresVersion string) Machine {
	m := Machine{
		Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), PostgreSQL: postgresVersion,
		Processor: "unknown processor",
	}
	for line := range lines("/proc/cpuinfo") {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
		}
	}
	for line := range lines("/proc/meminfo") {
		var kilobytes float64
		if n, _ := fmt.Sscanf(line, "MemTotal: %f kB", &kilobytes); n == 1 {
			m.MemoryGB = kilobytes / 1e6
		}
	}
	return m
}

// loadAverage is 0 on systems that do not report it.
func loadAverage() (load float64) {
	for line := range lines("/proc/loadavg") {
		_, _ = fmt.Sscan(line, &load)
	}
	return load
}

// lines returns the lines of a file, none if it cannot be read.
func lines(path string) func(yield func(string) bool) {
	text, _ := os.ReadFile(path)
	return strings.Lines(string(text))
}
