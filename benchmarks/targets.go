package benchmarks

import (
	"fmt"
	"strings"
)

// Target is what one figure should be, at most or at least.
type Target struct {
	Name    string  `json:"name"`
	URLs    int     `json:"urls"`
	Want    float64 `json:"want"`
	AtLeast bool    `json:"at_least"` // else at most
	Got     float64 `json:"got"`
	Met     bool    `json:"met"`
}

// judge compares the figures with the targets. A figure that was not measured is not judged.
func judge(sizes []Size) []Target {
	var targets []Target
	for i := range sizes {
		j := judgement{size: &sizes[i], targets: &targets}
		j.mainQuery()
		j.rest()
		j.reservations()
		if i > 0 {
			j.growth(&sizes[0])
		}
	}
	return targets
}

// judgement is of one size.
type judgement struct {
	size    *Size
	targets *[]Target
}

func (j judgement) want(name string, atLeast bool, want, got float64) {
	*j.targets = append(*j.targets, Target{
		Name: name, URLs: j.size.URLs, Want: want, AtLeast: atLeast, Got: got, Met: atLeast && got >= want || !atLeast && got <= want,
	})
}

func warmName(user string) string { return "form=queue/cursor=warm/user=" + user }

var warmUsers = []string{
	"new", "casual-66", "heavy-5000", "heavy-50000", "none-left",
	"new/batch=50", "heavy-5000/batch=50", "heavy-50000/batch=50",
	"new/batch=half", "heavy-5000/batch=half", "heavy-50000/batch=half",
	"session-new", "session-heavy-5000",
	"follows-3", "follows-50", "follows-50/heavy-5000", "follows-50/done",
}

// mostOf returns the targets of a user: a user with follows may take twice as much as another.
func mostOf(user string) (buffers, times float64) {
	if strings.HasPrefix(user, "follows-") {
		return 32, 5
	}
	return 16, 2.5
}

func (j judgement) mainQuery() {
	find := func(name string) *Figure { return j.size.find(mainQueryGroup, name) }
	queue := find(warmName("new"))
	for _, form := range []struct{ name, text string }{
		{"form=plain/user=new", "main query: times faster than plain views"},
		{"form=plain_mended/user=new", "main query: times faster than plain views, mended"},
	} {
		plain := find(form.name)
		switch {
		case plain == nil || queue == nil || queue.P50 == 0:
		case plain.Over > 0:
			j.want(form.text+" (which were given up: at least)", true, 276, plain.Over*1e6/queue.P50)
		default:
			j.want(form.text, true, 276, plain.P50/queue.P50)
		}
	}
	casual := find(warmName("casual-66"))
	for _, user := range warmUsers {
		f := find(warmName(user))
		if f == nil {
			continue
		}
		buffers, times := mostOf(user)
		if f.Buffers != nil {
			j.want("main query, buffers: "+user, false, buffers, float64(f.Buffers.worst()))
		}
		j.want("main query, times SELECT 1: "+user, false, times, f.Times)
	}
	for _, user := range []string{"heavy-5000", "heavy-50000"} {
		if f := find(warmName(user)); f != nil && casual != nil && casual.P50 > 0 {
			j.want("main query, times casual: "+user, false, 1.5, f.P50/casual.P50)
		}
	}
}

func (j judgement) rest() {
	for _, which := range urlsByUser {
		if f := j.size.find(getGroup, "url="+which.name+"/remembered=no"); f != nil {
			if which.name == "typical" {
				j.want("whole GET, database part, times SELECT 1: typical", false, 6, f.Times)
			}
			j.want("whole GET, round trips: "+which.name, false, 2, f.Values["round_trips"])
		}
	}
	for _, get := range []struct {
		name  string
		share float64
	}{{"GET typical", 0.5}, {"GET hottest", 0.35}} {
		if f := j.size.find(requestsGroup, get.name+"/clients=8"); f != nil {
			j.want(get.name+", 8 clients, share of a primary key's requests/s", true, get.share, f.Values["share_of_primary_key"])
		}
	}
	for _, durable := range []string{"on", "off"} {
		if f := j.size.find(answersGroup, "1 writer, synchronous_commit="+durable+"/upkeep=queue"); f != nil {
			j.want("POST with upkeep, times without, synchronous_commit="+durable, false, 1.15, f.Values["times_none"])
		}
	}
	for _, where := range []string{"spread", "one URL"} {
		if f := j.size.find(answersGroup, "32 writers, "+where+", 2 labelers/upkeep=queue"); f != nil {
			j.want("deadlocks, 32 writers and 2 labelers, "+where, false, 0, f.Values["deadlocks"])
		}
	}
	if f := j.size.find(answersGroup, "queue verify afterwards"); f != nil {
		j.want("differences found by queue verify", false, 0, f.Values["differences"])
	}
	for _, reader := range []string{"view", "queue"} {
		group := "readers of the " + reader
		idle, busy := j.size.find(group, "idle"), j.size.find(group, "refreshing concurrently")
		if idle != nil && busy != nil && idle.P99 > 0 {
			j.want(group+", p99 while refreshing concurrently, times idle", false, 3, busy.P99/idle.P99)
		}
	}
}

// reservations judges requests by those to a server that reserves nothing, in the same run.
func (j judgement) reservations() {
	for _, held := range heldCounts {
		for _, ask := range []string{"again", "first"} {
			if f := j.size.find(heldHTTPGroup, heldName(held, "reserve=10m, "+ask+"/user=new")); f != nil {
				j.want(fmt.Sprintf("GET, %s, %s reserved by others, times --reserve 0", ask, count(held)), false, 1.6,
					f.Values["times_reserve_0"])
			}
		}
	}
	for _, crowd := range []struct {
		where string
		share float64
	}{{"spread", 0.8}, {"shared head", 1}} {
		if f := j.size.find(crowdGroup, crowd.where+"/reserve=10m"); f != nil {
			j.want("32 annotators, "+crowd.where+", answers/s, share of --reserve 0", true, crowd.share, f.Values["share_of_reserve_0"])
			j.want("32 annotators, "+crowd.where+", URLs reserved beyond need", false, 0, f.Values["held_beyond_need"])
		}
	}
	if f := j.size.find(crowdGroup, "queue verify afterwards"); f != nil {
		j.want("differences found by queue verify, after reservations", false, 0, f.Values["differences"])
	}
}

// growth compares with the smallest database of the run.
func (j judgement) growth(smallest *Size) {
	for _, user := range warmUsers {
		here, there := j.size.find(mainQueryGroup, warmName(user)), smallest.find(mainQueryGroup, warmName(user))
		if here == nil || there == nil || there.Times == 0 {
			continue
		}
		against := fmt.Sprintf(" over %s URLs: %s", count(smallest.URLs), user)
		if here.Buffers != nil && there.Buffers != nil {
			j.want("main query, buffers more"+against, false, 4, float64(here.Buffers.worst()-there.Buffers.worst()))
		}
		// In multiples of SELECT 1: the two databases were not measured in the same minute.
		j.want("main query, time"+against, false, 1.2, here.Times/there.Times)
	}
}

func count(urls int) string {
	switch {
	case urls >= 1_000_000 && urls%1_000_000 == 0:
		return fmt.Sprintf("%dM", urls/1_000_000)
	case urls >= 1000 && urls%1000 == 0:
		return fmt.Sprintf("%dk", urls/1000)
	default:
		return fmt.Sprint(urls)
	}
}
