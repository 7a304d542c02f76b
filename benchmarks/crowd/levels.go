package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/benchmarks/measure"
)

const (
	// settling is how long a number of clients runs before it is measured: all begin at once, which no crowd of people does.
	settling = 5 * time.Second
	// probing is the time between two requests of /readyz, and probePatience how long a load balancer waits for one.
	probing       = 200 * time.Millisecond
	probePatience = 2 * time.Second
	// longestPause is how long a client waits at most, whatever Retry-After says.
	longestPause = 30 * time.Second
)

// level is what a number of clients saw that answered one URL after the other.
type level struct {
	clients  int
	accepted measure.Series // answers that were stored
	refused  int            // requests that got 503 with Retry-After
	others   map[string]int // further results, by status
	lasting  time.Duration

	ready, notReady int   // results of /readyz
	memory          int64 // the most resident bytes of the server
}

// runLevels prints a table with a line for each number of clients. It returns all answers.
func runLevels(ctx context.Context, cfg config, conn *pgx.Conn, key []byte, out io.Writer) (all []*answer, err error) {
	fmt.Fprintln(out, "| clients | answers/s | p50 | p99 | refused/s | memory of the server | `/readyz` |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- |")
	for _, clients := range cfg.levels {
		first, err := plan(ctx, conn, clients)
		if err != nil {
			return nil, err
		}
		l, answers := runLevel(ctx, cfg, key, first)
		all = append(all, answers...)
		fmt.Fprintln(out, l)
	}
	return all, nil
}

func (l *level) String() string {
	per := func(n int) string { return strconv.FormatFloat(float64(n)/l.lasting.Seconds(), 'f', 0, 64) }
	text := fmt.Sprintf("| %d | %s | %s | %s | %s | %d MB | %d of %d |", l.clients, per(len(l.accepted.Times)),
		milliseconds(l.accepted.Quantile(0.5)), milliseconds(l.accepted.Quantile(0.99)), per(l.refused), l.memory>>20,
		l.ready, l.ready+l.notReady)
	for _, status := range slices.Sorted(maps.Keys(l.others)) {
		text += fmt.Sprintf(" %s: %d", status, l.others[status])
	}
	return text
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// runLevel lets the clients answer for a time. It returns all answers, also those of the time that is not measured.
func runLevel(ctx context.Context, cfg config, key []byte, first []*answer) (*level, []*answer) {
	l := &level{clients: len(first), others: map[string]int{}, lasting: cfg.lasting}
	client := &http.Client{Timeout: cfg.patience, Transport: &http.Transport{MaxIdleConnsPerHost: len(first)}}
	defer client.CloseIdleConnections()
	begin := time.Now().Add(settling)
	end := begin.Add(cfg.lasting)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var (
		mu      sync.Mutex
		answers []*answer
		group   sync.WaitGroup
	)
	for _, a := range first {
		token := tokenOf(key, a.user)
		group.Go(func() {
			var mine []*answer
			for a := a; time.Now().Before(end); a = a.next() {
				sent := time.Now()
				again := a.send(client, cfg.addr, token)
				a.took = time.Since(sent)
				mine = append(mine, a)
				if done := sent.Add(a.took); done.After(begin) && done.Before(end) {
					mu.Lock()
					l.add(a)
					mu.Unlock()
				}
				if again {
					pause(ctx, min(a.retryAfter, longestPause))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, mine...)
		})
	}
	group.Go(func() { l.probe(ctx, cfg.addr) })
	group.Go(func() { l.watchMemory(ctx, cfg.adminAddr) })
	group.Wait()
	slices.Sort(l.accepted.Times)
	return l, answers
}

func (l *level) add(a *answer) {
	switch {
	case a.status == http.StatusOK && a.url == 0: // it has asked for another URL
	case a.status == http.StatusOK:
		l.accepted.Times = append(l.accepted.Times, a.took)
	case a.refused > 0:
		l.refused++
	default:
		l.others["status "+strconv.Itoa(a.status)]++
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// probe asks /readyz as a load balancer does, with a new connection each time, until ctx ends.
func (l *level) probe(ctx context.Context, addr string) {
	client := &http.Client{Timeout: probePatience, Transport: &http.Transport{DisableKeepAlives: true}}
	for ; ctx.Err() == nil; pause(ctx, probing) {
		resp, err := client.Get("http://" + addr + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			l.ready++
		} else {
			l.notReady++
		}
	}
}

// watchMemory reads the resident memory of the server from its metrics until ctx ends.
func (l *level) watchMemory(ctx context.Context, adminAddr string) {
	for ; ctx.Err() == nil && adminAddr != ""; pause(ctx, time.Second) {
		if bytes, err := residentMemory(adminAddr); err == nil {
			l.memory = max(l.memory, bytes)
		}
	}
}

func residentMemory(adminAddr string) (int64, error) {
	resp, err := http.Get("http://" + adminAddr + "/internal/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); found {
			bytes, err := strconv.ParseFloat(value, 64)
			return int64(bytes), err
		}
	}
	return 0, errors.New("no process_resident_memory_bytes")
}
