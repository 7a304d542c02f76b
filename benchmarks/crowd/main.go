// Crowd lets thousands of clients answer at the same time and compares what they were told with what is stored:
//
//	ulimit -n 20000
//	bin/docket seed --urls 10000 --data-dir .docket-crowd
//	bin/docket serve --data-dir .docket-crowd --addr 127.0.0.1:8081 --log-level error &
//	go run ./benchmarks/crowd --addr 127.0.0.1:8081 --key-file .docket-crowd/secret-key \
//		--database-url "$(bin/docket db url --data-dir .docket-crowd)"
//
// With --levels, each number of clients answers one URL after the other for a time and respects Retry-After, and the result is a
// table in Markdown. scripts/overload does all of it:
//
//	scripts/overload --levels 8,64,512,4000
//
// No answer may be stored and reported as failed, or reported as stored and lost: the exit status is 1 then.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/auth"
)

// firstUser is the first of the users that answer. Each run needs users without answers.
const firstUser = 1_000_000

type config struct {
	addr, databaseURL, keyFile string
	clients, retries           int
	patience, lasting          time.Duration
	levels                     []int // without, each client sends one answer
	adminAddr                  string
}

func main() {
	var cfg config
	flag.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "`address` of docket serve")
	flag.StringVar(&cfg.databaseURL, "database-url", os.Getenv("DATABASE_URL"), "its database, to see what is stored")
	flag.StringVar(&cfg.keyFile, "key-file", ".docket/secret-key", "`file` with the key of the tokens")
	flag.IntVar(&cfg.clients, "clients", 4000, "`number` of clients; each sends one answer")
	flag.IntVar(&cfg.retries, "retries", 0, "how often a client repeats an answer that got 503, after the time that Retry-After says")
	flag.DurationVar(&cfg.patience, "patience", time.Minute, "how long a client waits for a response")
	flag.Func("levels", "`numbers` of clients with commas, such as 8,64,512,4000, that answer one URL after the other", func(text string) error {
		for part := range strings.SplitSeq(text, ",") {
			clients, err := strconv.Atoi(part)
			if err != nil || clients < 1 {
				return fmt.Errorf("%q is not a number of clients", part)
			}
			cfg.levels = append(cfg.levels, clients)
		}
		return nil
	})
	flag.DurationVar(&cfg.lasting, "lasting", 20*time.Second, "how long each number of clients is measured, with --levels")
	flag.StringVar(&cfg.adminAddr, "admin-addr", "", "`address` of its metrics, to see its memory, with --levels")
	flag.Parse()
	wrong, err := run(context.Background(), cfg, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if wrong {
		os.Exit(1)
	}
}

// answer is what one client sends and what it is told.
type answer struct {
	user, url  int32  // url 0: it only asks for a URL
	status     int    // of the last response; 0: none
	failed     string // the header Next-Annotation-Failed
	refused    int    // responses with 503 and Retry-After
	retryAfter time.Duration
	offered    int32 // the URL that the response offers; 0: none
	took       time.Duration
}

// next returns what the client sends afterwards: the same if it was refused, or else an answer about the URL that it was offered.
func (a *answer) next() *answer {
	if a.refused > 0 {
		return &answer{user: a.user, url: a.url}
	}
	return &answer{user: a.user, url: a.offered}
}

func run(ctx context.Context, cfg config, out io.Writer) (wrong bool, err error) {
	key, err := auth.LoadOrCreateKey(cfg.keyFile)
	if err != nil {
		return false, err
	}
	conn, err := pgx.Connect(ctx, cfg.databaseURL)
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	if len(cfg.levels) > 0 {
		answers, err := runLevels(ctx, cfg, conn, key, out)
		if err != nil {
			return false, err
		}
		stored, err := storedOf(ctx, conn, answers)
		return wrongOnes(out, answers, stored), err
	}
	answers, err := plan(ctx, conn, cfg.clients)
	if err != nil {
		return false, err
	}
	took := send(cfg, key, answers)
	stored, err := storedOf(ctx, conn, answers)
	if err != nil {
		return false, err
	}
	return report(out, answers, stored, took), nil
}

// plan gives each client a user without answers and a URL.
func plan(ctx context.Context, conn *pgx.Conn, clients int) ([]*answer, error) {
	rows, err := conn.Query(ctx, "SELECT url_id FROM annotation_queue WHERE eligible ORDER BY random() LIMIT $1", clients)
	if err != nil {
		return nil, err
	}
	urls, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return nil, err
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("no URL can be annotated: run docket seed first")
	}
	var last int32
	if err := conn.QueryRow(ctx, "SELECT coalesce(max(user_id), 0) FROM annotation__url_type__user").Scan(&last); err != nil {
		return nil, err
	}
	answers := make([]*answer, clients)
	for i := range answers {
		answers[i] = &answer{user: max(firstUser, last+1) + int32(i), url: urls[i%len(urls)]}
	}
	return answers, nil
}

func tokenOf(key []byte, user int32) string {
	token, err := auth.Issue(key, user, nil, time.Hour, time.Now())
	if err != nil {
		panic(err)
	}
	return token
}

func send(cfg config, key []byte, answers []*answer) time.Duration {
	client := &http.Client{Timeout: cfg.patience, Transport: &http.Transport{MaxIdleConnsPerHost: len(answers)}}
	tokens := make([]string, len(answers))
	for i, a := range answers {
		tokens[i] = tokenOf(key, a.user)
	}
	var start, done sync.WaitGroup
	start.Add(1)
	for i, a := range answers {
		done.Go(func() {
			start.Wait()
			begin := time.Now()
			for attempt := 0; a.send(client, cfg.addr, tokens[i]) && attempt < cfg.retries; attempt++ {
				time.Sleep(a.retryAfter)
			}
			a.took = time.Since(begin)
		})
	}
	begin := time.Now()
	start.Done()
	done.Wait()
	return time.Since(begin)
}

// request returns the request of an answer, or one for the next URL.
func (a *answer) request(addr, token string) *http.Request {
	method, path, body := http.MethodGet, "", io.Reader(nil)
	if a.url != 0 {
		method, path = http.MethodPost, fmt.Sprintf("/%d", a.url)
		body = strings.NewReader(`{"suggested_status": "data source", "record_type": "Stops"}`)
	}
	req, err := http.NewRequest(method, "http://"+addr+"/annotate/all"+path, body)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return req
}

var urlID = regexp.MustCompile(`"url_id": ?(\d+)`)

// send sends the answer one time, and reports whether the server invites a repetition.
func (a *answer) send(client *http.Client, addr, token string) (again bool) {
	a.status, a.failed, a.offered = 0, "", 0
	resp, err := client.Do(a.request(addr, token))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	a.status, a.failed = resp.StatusCode, resp.Header.Get("Next-Annotation-Failed")
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode == http.StatusServiceUnavailable && err == nil {
		a.retryAfter = time.Duration(seconds) * time.Second
		a.refused++
		return true
	}
	if found := urlID.FindSubmatch(body); resp.StatusCode == http.StatusOK && found != nil {
		id, _ := strconv.Atoi(string(found[1]))
		a.offered = int32(id)
	}
	return false
}

// storedOf returns the answers that are stored.
func storedOf(ctx context.Context, conn *pgx.Conn, answers []*answer) (map[[2]int32]bool, error) {
	byUser := func(a, b *answer) int { return cmp.Compare(a.user, b.user) }
	rows, err := conn.Query(ctx, "SELECT user_id, url_id FROM annotation__url_type__user WHERE user_id BETWEEN $1 AND $2",
		slices.MinFunc(answers, byUser).user, slices.MaxFunc(answers, byUser).user)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ User, URL int32 }])
	stored := map[[2]int32]bool{}
	for _, row := range list {
		stored[[2]int32{row.User, row.URL}] = true
	}
	return stored, err
}

// wrongOnes prints how many answers were acknowledged and are lost, or stored and never acknowledged, and reports whether there
// are any.
func wrongOnes(out io.Writer, answers []*answer, stored map[[2]int32]bool) (wrong bool) {
	acknowledged := map[[2]int32]bool{}
	for _, a := range answers {
		if key := [2]int32{a.user, a.url}; a.url != 0 {
			acknowledged[key] = acknowledged[key] || a.status == http.StatusOK
		}
	}
	lost, unreported := 0, 0
	for key, acknowledged := range acknowledged {
		switch {
		case acknowledged && !stored[key]:
			lost++
		case !acknowledged && stored[key]:
			unreported++
		}
	}
	fmt.Fprintf(out, "%d answers stored, %d acknowledged and lost, %d stored and told as failed\n", len(stored), lost, unreported)
	return lost+unreported > 0
}

func report(out io.Writer, answers []*answer, stored map[[2]int32]bool, took time.Duration) (wrong bool) {
	counts := map[string]int{}
	var slowest time.Duration
	for _, a := range answers {
		there, status := stored[[2]int32{a.user, a.url}], strconv.Itoa(a.status)
		counts["status "+status]++
		counts["refused with 503 and Retry-After"] += a.refused
		slowest = max(slowest, a.took)
		switch {
		case a.status == http.StatusOK && !there:
			counts["WRONG: acknowledged and lost"]++
			wrong = true
		case a.status != http.StatusOK && there:
			counts["WRONG: stored and told as failed"]++
			wrong = true
		}
		if a.failed != "" {
			counts["acknowledged without a next URL: "+a.failed]++
		}
	}
	counts["stored"] = len(stored)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%8d  %s\n", counts[name], name)
	}
	fmt.Fprintf(out, "%d clients, %s, slowest client %s\n", len(answers), took.Round(time.Millisecond), slowest.Round(time.Millisecond))
	return wrong
}
