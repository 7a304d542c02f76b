package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/tasks"
	"docket/internal/views"
)

// viewAges allows a view twice its interval, so that one late or failed refresh is not reported.
func viewAges(ctx context.Context, e *examination) Finding {
	list, err := views.List(ctx, e.pool)
	if err != nil {
		return failed(err)
	}
	var stale, never []string
	for _, view := range list {
		switch {
		case view.RefreshedAt == nil:
			never = append(never, view.Name)
		case e.ViewsInterval > 0 && view.Age > 2*e.ViewsInterval:
			stale = append(stale, fmt.Sprintf("%s is %s old", view.Name, view.Age.Round(time.Minute)))
		case view.Failure != "":
			stale = append(stale, fmt.Sprintf("the last refresh of %s failed: %s", view.Name, view.Failure))
		}
	}
	const do = "docket refresh"
	switch {
	case len(stale) > 0:
		return Finding{State: Warning, Found: strings.Join(stale, ", "), Do: do}
	case len(never) > 0:
		return Finding{State: Note, Found: "no refresh is on record: " + strings.Join(never, ", "), Do: do}
	}
	return ok("%d, none older than two intervals of %s", len(list), e.ViewsInterval)
}

// comparedURLs are the newest URLs, where other programs leave differences.
const comparedURLs = 500

func queue(ctx context.Context, e *examination) Finding {
	part, err := queries.DoctorURLGetNewest(ctx, e.pool, comparedURLs)
	if err != nil {
		return failed(err)
	}
	found, err := queries.QueueDifferenceList(ctx, e.pool, db.QueueDifferenceListParams(part))
	switch {
	case err != nil:
		return failed(err)
	case len(found) > 0:
		return Finding{State: Warning,
			Found: fmt.Sprintf("%d differences from a recount among the newest %d URLs, the first: URL %d, %s", len(found), comparedURLs,
				found[0].URLID, found[0].Kind),
			Do: "docket queue reconcile"}
	}
	return ok("no difference from a recount among the newest %d URLs; docket queue verify compares all", comparedURLs)
}

// mostOverdue is more than a process that runs jobs needs to start one.
const mostOverdue = 15 * time.Minute

func jobs(ctx context.Context, e *examination) Finding {
	scheduled, err := tasks.Schedule(ctx, e.pool)
	if err != nil {
		return failed(err)
	}
	var overdue []string
	for _, job := range scheduled {
		if job.Overdue > mostOverdue {
			overdue = append(overdue, fmt.Sprintf("%s since %s", job.Job, job.Overdue.Round(time.Minute)))
		}
	}
	if len(overdue) > 0 {
		return Finding{State: Warning, Found: "overdue: " + strings.Join(overdue, ", "),
			Do: "start a process that runs jobs: docket serve or docket work; docket tasks schedule shows all"}
	}
	last, err := tasks.NewHistory(e.pool).LastRuns(ctx)
	if err != nil {
		return failed(err)
	}
	var failing []string
	for _, name := range slices.Sorted(maps.Keys(last)) {
		if task := last[name]; task.Status == tasks.Failed {
			failing = append(failing, fmt.Sprintf("%s (task %d): %s", name, task.ID, task.Error))
		}
	}
	switch {
	case len(failing) > 0:
		return Finding{State: Warning, Found: "the last run failed: " + strings.Join(failing, ", "), Do: "docket tasks --status error"}
	case len(scheduled) == 0:
		return Finding{State: Note, Found: "no process has scheduled jobs in this database yet", Do: "docket serve, or docket work"}
	}
	return ok("%d scheduled, none overdue, no last run failed", len(scheduled))
}

// hotTables are updated by each request.
var hotTables = []string{"annotation_queue", "url_reservations"}

// vacuum finds tables with many dead rows, and more of them than live ones.
func vacuum(ctx context.Context, e *examination) Finding {
	if !e.server.Autovacuum {
		return Finding{State: Problem, Found: "autovacuum is off: the tables grow without end",
			Do: "psql -c 'ALTER SYSTEM SET autovacuum = on' -c 'SELECT pg_reload_conf()'"}
	}
	list, err := postgres.ReadTableRows(ctx, e.pool, hotTables)
	if err != nil {
		return failed(err)
	}
	var dead, all, vacuums []string
	for _, table := range list {
		last := "never since the statistics were reset"
		if table.VacuumedAt != nil {
			last = table.VacuumedAt.UTC().Format(time.DateTime)
		}
		text := fmt.Sprintf("%s has %d dead rows and %d live ones, last vacuum: %s", table.Name, table.Dead, table.Live, last)
		all = append(all, text)
		if table.Dead > max(e.DeadRows, table.Live) {
			dead, vacuums = append(dead, text), append(vacuums, "VACUUM "+table.Name)
		}
	}
	if len(dead) > 0 {
		return Finding{State: Warning, Found: strings.Join(dead, "; "),
			Do: strings.Join(vacuums, "; ") + ". If the rows stay, end the oldest transaction: see pg_stat_activity.backend_xmin"}
	}
	return ok("%s", strings.Join(all, "; "))
}

// wraparound finds a database that autovacuum does not keep from running out of transaction ids.
func wraparound(_ context.Context, e *examination) Finding {
	limit := e.server.FreezeMaxAge + e.server.FreezeMaxAge/2
	if e.server.FrozenAge > limit {
		return Finding{State: Problem,
			Found: fmt.Sprintf("the oldest transaction id is %d transactions old; autovacuum should have acted at %d", e.server.FrozenAge,
				e.server.FreezeMaxAge),
			Do: "end the oldest transactions and drop unused replication slots, then run vacuumdb --freeze on the database"}
	}
	return ok("the oldest transaction id is %d transactions old, of at most %d", e.server.FrozenAge, limit)
}

// mostLag is when a standby counts as behind.
const mostLag = 30 * time.Second

func replication(ctx context.Context, e *examination) Finding {
	if e.server.Standby {
		return ok("the server is a standby itself")
	}
	list, err := postgres.ReadStandbys(ctx, e.pool)
	if err != nil {
		return failed(err)
	}
	return replicated(list, e.server.SynchronousStandbyNames)
}

func replicated(list []postgres.Standby, synchronousNames string) Finding {
	var behind []string
	hidden := false
	synchronous := 0
	for _, standby := range list {
		switch {
		case standby.State == "":
			hidden = true
		case standby.State != "streaming":
			behind = append(behind, fmt.Sprintf("%s is in state %s", standby.Name, standby.State))
		case standby.Lag > mostLag:
			behind = append(behind, fmt.Sprintf("%s is %s behind", standby.Name, standby.Lag.Round(time.Second)))
		}
		if standby.Sync == "sync" || standby.Sync == "quorum" {
			synchronous++
		}
	}
	switch {
	case hidden:
		return Finding{State: Note, Found: fmt.Sprintf("%d standbys, whose state this role may not see", len(list)),
			Do: "GRANT pg_monitor to the role to have them checked"}
	case synchronousNames != "" && synchronous == 0:
		return Finding{State: Problem,
			Found: fmt.Sprintf("synchronous_standby_names is %q, and no such standby is connected: commits wait for it", synchronousNames),
			Do:    "start the standby, or take it out of synchronous_standby_names"}
	case len(behind) > 0:
		return Finding{State: Warning, Found: strings.Join(behind, ", "),
			Do: "see whether network and disk of the standby keep up; its log has the reason if it does not receive changes"}
	}
	return ok("%d standbys, none behind", len(list))
}
