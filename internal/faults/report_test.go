package faults

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"docket/internal/dbtest"
)

// report counts what clients sent and what they were told.
type report struct {
	mu        sync.Mutex
	fault     string                    // the current one
	statuses  map[string]map[string]int // by fault, then by what the response says
	surprises map[string]int            // responses that no client should get
	examples  map[string]string         // the first body of each
	sent      []*sent
	responses int
	successes int
	writes    gaps
	back      map[string]time.Duration // the longest time after the end of a fault until clients succeeded again
	read      map[string]time.Duration // the slowest answered read during a fault
}

// sent is a request that has ended, and what is stored of it.
type sent struct {
	kind                  *kind
	mark                  string
	fault                 string // during which it ended
	acknowledged, withKey bool

	copies int  // how many times it is stored
	torn   bool // stored in part
}

// gaps are the longest times within which no request both began and succeeded, by the fault during which they ended. An answer
// that was stored before a fault may be acknowledged long after it: it ends no gap.
type gaps struct {
	began   time.Time // of the successful request that began last
	longest map[string]time.Duration
}

// success is called when a request has succeeded.
func (g *gaps) success(began time.Time, fault string) {
	if g.longest == nil {
		g.longest = map[string]time.Duration{}
	} else if began.After(g.began) {
		g.longest[fault] = max(g.longest[fault], time.Since(g.began))
	}
	if began.After(g.began) {
		g.began = began
	}
}

func newReport() *report {
	return &report{statuses: map[string]map[string]int{}, surprises: map[string]int{}, examples: map[string]string{},
		back: map[string]time.Duration{}, read: map[string]time.Duration{}}
}

func (r *report) setFault(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = name
}

// count counts the response of a request that began then, and returns during which fault.
func (r *report) count(method string, began time.Time, response response) (fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.responses++
	if response.status >= 200 && response.status < 300 {
		r.successes++
		if method != http.MethodGet {
			r.writes.success(began, r.fault)
		}
	}
	if r.statuses[r.fault] == nil {
		r.statuses[r.fault] = map[string]int{}
	}
	r.statuses[r.fault][response.tells()]++
	return r.fault
}

func (r *report) counts() (responses, successes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.responses, r.successes
}

// surprise notes a response that no client should get.
func (r *report) surprise(response response, format string, arguments ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what := fmt.Sprintf(format, arguments...)
	if r.surprises[what]++; r.surprises[what] == 1 {
		r.examples[what] = strings.TrimSpace(string(response.body))
	}
}

func (r *report) recovered(fault string, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.back[fault] = max(r.back[fault], after)
}

// answeredRead notes how long a read took that was answered with 200.
func (r *report) answeredRead(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[r.fault] = max(r.read[r.fault], took)
}

// finished notes how a request ended.
func (r *report) finished(k *kind, mark string, acknowledged, withKey bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, &sent{kind: k, mark: mark, fault: r.fault, acknowledged: acknowledged, withKey: withKey})
}

// compare reads what is stored.
func (r *report) compare(conn dbtest.Querier, s *system) {
	ofKind := map[*kind]map[string]*sent{}
	for _, request := range r.sent {
		if ofKind[request.kind] == nil {
			ofKind[request.kind] = map[string]*sent{}
		}
		ofKind[request.kind][request.mark] = request
	}
	for k, requests := range ofKind {
		type row struct {
			Mark   string
			Copies int
			Whole  bool
		}
		for _, row := range dbtest.Structs[row](s.t, conn, k.stored, slices.Collect(maps.Keys(requests))) {
			requests[row.Mark].copies = row.Copies
			requests[row.Mark].torn = !row.Whole
		}
	}
}

// outcome is what became of some requests.
type outcome struct {
	requests, withKey, acknowledged, stored, lost, doubled, doubledWithKey, torn, unanswered int
}

// outcomes counts the requests of each group, after compare.
func (r *report) outcomes(group func(*sent) string) map[string]outcome {
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	outcomes := map[string]outcome{}
	for _, request := range r.sent {
		o := outcomes[group(request)]
		o.requests++
		count(&o.withKey, request.withKey)
		count(&o.acknowledged, request.acknowledged)
		count(&o.unanswered, !request.acknowledged)
		count(&o.stored, request.copies > 0)
		count(&o.lost, request.acknowledged && request.copies == 0)
		count(&o.doubled, request.copies > 1)
		count(&o.doubledWithKey, request.copies > 1 && request.withKey)
		count(&o.torn, request.torn)
		outcomes[group(request)] = o
	}
	return outcomes
}

func byKind(request *sent) string { return request.kind.name }

func (r *report) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tback after\tslowest read\tresponses")
	for _, fault := range slices.Sorted(maps.Keys(r.statuses)) {
		var counts []string
		for _, status := range slices.Sorted(maps.Keys(r.statuses[fault])) {
			counts = append(counts, fmt.Sprintf("%d %s", r.statuses[fault][status], status))
		}
		fmt.Fprintf(w, "%s\t%v\t%v\t%s\n", fault,
			r.back[fault].Round(time.Millisecond), r.read[fault].Round(time.Millisecond), strings.Join(counts, ", "))
	}
	_ = w.Flush()
	for _, surprise := range slices.Sorted(maps.Keys(r.surprises)) {
		fmt.Fprintf(&text, "%6d × %s, first: %.300s\n", r.surprises[surprise], surprise, r.examples[surprise])
	}
	return text.String()
}

func table(outcomes map[string]outcome) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "requests\twith key\tacknowledged\tstored\tlost\tdoubled\twith key\ttorn\tnot acknowledged\t  kind")
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		o := outcomes[name]
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t  %s\n",
			o.requests, o.withKey, o.acknowledged, o.stored, o.lost, o.doubled, o.doubledWithKey, o.torn, o.unanswered, name)
	}
	_ = w.Flush()
	return text.String()
}
