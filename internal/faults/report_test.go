package faults

import (
	"fmt"
	"maps"
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
	sent      map[*kind]*marks
	responses int
	successes int
	back      map[string]time.Duration // the longest time after the end of a fault until clients succeeded again
	read      map[string]time.Duration // the slowest answered read during a fault
}

// marks are those of one kind of request, by how the request ended.
type marks struct {
	acknowledged, unanswered []string
	withKey                  map[string]bool
}

func newReport() *report {
	return &report{statuses: map[string]map[string]int{}, surprises: map[string]int{}, examples: map[string]string{}, sent: map[*kind]*marks{},
		back: map[string]time.Duration{}, read: map[string]time.Duration{}}
}

func (r *report) setFault(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = name
}

// count counts a response, and returns during which fault.
func (r *report) count(response response) (fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.responses++
	if response.status >= 200 && response.status < 300 {
		r.successes++
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
	if r.sent[k] == nil {
		r.sent[k] = &marks{withKey: map[string]bool{}}
	}
	m := r.sent[k]
	if withKey {
		m.withKey[mark] = true
	}
	if acknowledged {
		m.acknowledged = append(m.acknowledged, mark)
	} else {
		m.unanswered = append(m.unanswered, mark)
	}
}

// outcome is what became of the requests of a kind.
type outcome struct {
	requests, withKey, acknowledged, stored, lost, doubled, doubledWithKey, torn, unanswered int
}

// compare reads what is stored.
func (r *report) compare(conn dbtest.Querier, s *system) map[*kind]outcome {
	outcomes := map[*kind]outcome{}
	for k, m := range r.sent {
		all := slices.Concat(m.acknowledged, m.unanswered)
		type row struct {
			Mark   string
			Copies int
			Whole  bool
		}
		o := outcome{requests: len(all), withKey: len(m.withKey), acknowledged: len(m.acknowledged), unanswered: len(m.unanswered)}
		stored := map[string]bool{}
		for _, row := range dbtest.Structs[row](s.t, conn, k.stored, all) {
			stored[row.Mark] = true
			o.stored++
			if row.Copies > 1 {
				o.doubled++
				if m.withKey[row.Mark] {
					o.doubledWithKey++
				}
			}
			if !row.Whole {
				o.torn++
			}
		}
		for _, mark := range m.acknowledged {
			if !stored[mark] {
				o.lost++
			}
		}
		outcomes[k] = o
	}
	return outcomes
}

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

func table(outcomes map[*kind]outcome) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "requests\twith key\tacknowledged\tstored\tlost\tdoubled\twith key\ttorn\tnot acknowledged\t  kind")
	for i := range kinds {
		o := outcomes[&kinds[i]]
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t  %s\n",
			o.requests, o.withKey, o.acknowledged, o.stored, o.lost, o.doubled, o.doubledWithKey, o.torn, o.unanswered, kinds[i].name)
	}
	_ = w.Flush()
	return text.String()
}
