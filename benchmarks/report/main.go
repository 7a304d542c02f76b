// Command report measures Docket at scale, prints a table and writes a JSON file. scripts/bench runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"docket/benchmarks"
	"docket/internal/postgres/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type configuration struct {
	sizes, out, dir string
	compare         bool
	limit           time.Duration
	opts            benchmarks.Options
}

func run(ctx context.Context) error {
	c := configuration{opts: benchmarks.DefaultOptions}
	flag.StringVar(&c.sizes, "urls", "10000,100000", "`numbers` of URLs, separated by commas")
	flag.StringVar(&c.out, "out", "", "JSON `file` to write; benchmarks/results/<commit>.json when empty")
	flag.StringVar(&c.dir, "dir", "", "`directory` for the databases, some 5 kB for each URL; a temporary one when empty")
	flag.BoolVar(&c.compare, "compare", false, "compare two JSON files instead: --compare A.json B.json")
	flag.DurationVar(&c.limit, "limit", 30*time.Minute, "give up after this time")
	flag.DurationVar(&c.opts.Probe, "probe", c.opts.Probe, "about how long each query is measured")
	flag.DurationVar(&c.opts.Load, "load", c.opts.Load, "how long each load lasts")
	flag.DurationVar(&c.opts.Limit, "statement-limit", c.opts.Limit, "after this time a statement is cancelled")
	flag.StringVar(&c.opts.Only, "only", "",
		`run one part: "main query", "suggestions and whole GET", "requests", "refresh", "answers" or "reservations"`)
	flag.Parse()
	if c.compare {
		return compare(flag.Args())
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flag.Arg(0))
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	return measure(ctx, c)
}

func measure(ctx context.Context, c configuration) (err error) {
	var sizes []int
	for part := range strings.SplitSeq(c.sizes, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1000 {
			return fmt.Errorf("--urls: %q is not a number from 1000", part)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "docket-bench-"); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	}
	server, err := embedded.Start(ctx, embedded.Config{DataDir: c.dir, Owner: "scripts/bench"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()

	name, changed := commit(ctx) // now: the tree may move on while this runs
	begin := time.Now()
	c.opts.Progress = func(what string) { fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(begin).Seconds(), what) }
	report, err := benchmarks.Run(ctx, server.URL(), slices.Compact(sizes), c.opts)
	if err != nil {
		return err
	}
	report.Commit, report.Changed = name, changed
	if err := report.Print(os.Stdout); err != nil {
		return err
	}
	if c.out == "" {
		c.out = filepath.Join("benchmarks", "results", report.Commit+".json")
	}
	return write(c.out, report)
}

// commit asks git; a tree without it has no name.
func commit(ctx context.Context) (name string, changed bool) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown", true
	}
	status, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	return strings.TrimSpace(string(head)), err != nil || len(status) > 0
}

func write(path string, report *benchmarks.Report) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	// Written under another name first, so that an interrupted report does not look complete.
	if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	fmt.Printf("\nwritten to %s\n", path)
	return nil
}

func compare(files []string) error {
	if len(files) != 2 {
		return errors.New("--compare takes two JSON files, the older first")
	}
	var reports [2]benchmarks.Report
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read report: %w", err)
		}
		if err := json.Unmarshal(text, &reports[i]); err != nil {
			return fmt.Errorf("read report %s: %w", file, err)
		}
	}
	return benchmarks.Compare(os.Stdout, &reports[0], &reports[1])
}
