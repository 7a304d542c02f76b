// Package adoption knows the databases of the reference, the service that Docket succeeds: which revisions of them Docket adopts,
// how to tell them apart, and what SQL converts them. The SQL is in sql/adoption.
//
// It only reads databases. Package schema plans and makes the changes.
package adoption

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sqlfiles "docket/sql"

	"docket/internal/postgres/tcp"
	"docket/internal/schema"
	"docket/internal/schema/state"
)

const undefinedTable = "42P01"

// ErrUnknown means that a database of the reference has a revision that Docket does not adopt.
var ErrUnknown = errors.New("unknown revision of the reference")

// revision is a state of the reference's schema.
type revision struct {
	id   string // the last migration, in alembic_version
	date string
	// A later revision, whose migration was not seen, is adopted as the one before it if added values of these enums are all that
	// it changes.
	as    string
	enums []string
	drops state.Reference // the column that convert.sql drops
}

// replaced are checks of the reference that Docket has under other names and in other words. Without this list they would be kept
// as those of operators are, and each row would be checked twice.
var replaced = []string{
	"check_url_has_no_scheme", "check_url_no_fragment", "check_url_no_nbsp", "check_url_no_trailing_slash", "confidence_range",
}

var revisions = []revision{
	{id: "1d3398f9cd8a", date: "December 2025", drops: state.Reference{Relation: "urls", Column: "status"}},
	{id: "759ce7d0772b", date: "January 2026"},
	{id: "1fb2286a016c", date: "after January 2026", as: "759ce7d0772b", enums: []string{"batch_strategy"}},
}

// Find returns what is known of the database: nothing unless it has, or had, a revision of the reference. The error for a
// revision that is not adopted is an ErrUnknown, except when Docket has adopted the database before.
func Find(ctx context.Context, url string) (schema.Origin, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return schema.Origin{}, nil // package schema refuses the URL, with a message that does not have its password
	}
	if err := tcp.Configure(&config.Config); err != nil {
		return schema.Origin{}, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return schema.Origin{}, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return find(ctx, conn)
}

func find(ctx context.Context, conn *pgx.Conn) (schema.Origin, error) {
	versions, err := versions(ctx, conn)
	if err != nil || versions == nil {
		return schema.Origin{}, err
	}
	known := slices.IndexFunc(revisions, func(r revision) bool { return len(versions) == 1 && versions[0] == r.id })
	if known < 0 {
		adopted, err := ask(ctx, conn, "adopted.sql")
		if err == nil && !adopted {
			err = unknown(conn, versions)
		}
		return schema.Origin{}, err
	}
	return revisions[known].origin(ctx, conn)
}

// versions returns the content of alembic_version, or nil when there is no such table.
func versions(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	text, err := fs.ReadFile(sqlfiles.Adoption, "version.sql")
	if err != nil {
		return nil, err
	}
	rows, _ := conn.Query(ctx, string(text)) // CollectRows returns its error
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	var refusal *pgconn.PgError
	switch {
	case errors.As(err, &refusal) && refusal.Code == undefinedTable:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the revision of the reference: %w", err)
	}
	return found, nil
}

// ask runs a query of sql/adoption that answers yes or no.
func ask(ctx context.Context, conn *pgx.Conn, file string) (yes bool, err error) {
	text, err := fs.ReadFile(sqlfiles.Adoption, file)
	if err != nil {
		return false, err
	}
	if err := conn.QueryRow(ctx, string(text)).Scan(&yes); err != nil {
		return false, fmt.Errorf("run sql/adoption/%s: %w", file, err)
	}
	return yes, nil
}

func unknown(conn *pgx.Conn, versions []string) error {
	has := "no revision"
	if len(versions) > 0 {
		has = "revision " + strings.Join(versions, ", ")
	}
	var adopted []string
	for _, r := range revisions {
		if r.as == "" {
			adopted = append(adopted, r.String())
		}
	}
	return fmt.Errorf("%w: alembic_version of database %q has %s; Docket adopts %s. Nothing was planned. Bring the database to one "+
		"of these with the reference's own migrations, or use a Docket that knows its revision",
		ErrUnknown, conn.Config().Database, has, strings.Join(adopted, " and "))
}

func (r revision) String() string { return fmt.Sprintf("%s (%s)", r.id, r.date) }

// origin reads what has still to be converted.
func (r revision) origin(ctx context.Context, conn *pgx.Conn) (schema.Origin, error) {
	origin := schema.Origin{Name: "revision " + r.String() + " of the reference", Replaced: replaced, KeepEnumValues: r.enums}
	folder := r.id
	if r.as != "" {
		folder = r.as
	}
	pending, err := ask(ctx, conn, folder+"/pending.sql")
	if err != nil {
		return origin, err
	}
	if !pending {
		adopted, err := ask(ctx, conn, "adopted.sql")
		if adopted {
			origin.Name = "adopted from " + origin.Name
		}
		return origin, err
	}
	for file, text := range map[string]*string{"convert.sql": &origin.Conversion, "undo.sql": &origin.Undo} {
		read, err := fs.ReadFile(sqlfiles.Adoption, folder+"/"+file)
		if err != nil {
			return origin, err
		}
		*text = string(read)
	}
	origin.Check = r.check
	return origin, nil
}

// own are the tables that the reference does not have.
var own = []string{
	"annotation_queue", "anonymous_answer_addresses", "anonymous_migrated_answers", "anonymous_url_done", "batch_progress",
	"consensus_due", "consensus_facts", "flag_batch_suggestions_hidden", "flag_url_reopened", "followed_batches", "idempotency_keys", "link_locations__urls",
	"materialized_view_refreshes", "task_runs", "task_schedule", "url_former_status", "url_history", "url_reservations", "url_skips",
	"user_url_done",
}

// ownEnums are Docket's own enums, likewise.
var ownEnums = []string{"skip_reason", "url_event"}

// check refuses a database with a view of its operators on a column that is dropped, and a revision that was not seen if more has
// changed in it than values of its enums. What such a revision adds cannot be told from what operators added: the plan lists both
// as left alone.
func (r revision) check(found, before *state.State) error {
	for _, view := range found.Views {
		if r.drops.Relation != "" && before.View(view.Name) == nil && slices.Contains(view.Reads, r.drops) {
			return fmt.Errorf("%s reads %s.%s, which is dropped. Drop it, or define it without the column, and run the command again. "+
				"Nothing was planned", view, r.drops.Relation, r.drops.Column)
		}
	}
	if r.as == "" {
		return nil
	}
	if difference := r.difference(found, before); difference != "" {
		return fmt.Errorf("%w: %s differs from %s in more than values of %s: %s. Nothing was planned",
			ErrUnknown, r, r.as, strings.Join(r.enums, ", "), difference)
	}
	return nil
}

func (r revision) difference(found, before *state.State) string {
	for _, want := range before.Details {
		if slices.Contains(own, want.Name) {
			continue
		}
		have := found.Table(want.Name)
		if have == nil {
			return "it has no table " + want.Name
		}
		for _, column := range want.Columns {
			i := slices.IndexFunc(have.Columns, func(c state.Column) bool { return c.Name == column.Name })
			switch {
			case i < 0:
				return fmt.Sprintf("it has no column %s.%s", want.Name, column.Name)
			case have.Columns[i].Type != column.Type:
				return fmt.Sprintf("%s.%s is %s", want.Name, column.Name, have.Columns[i].Type)
			}
		}
	}
	for _, want := range before.Enums {
		if slices.Contains(ownEnums, want.Name) {
			continue
		}
		i := slices.IndexFunc(found.Enums, func(e state.Enum) bool { return e.Name == want.Name })
		switch {
		case i < 0:
			return "it has no enum " + want.Name
		case slices.Contains(r.enums, want.Name):
			if slices.ContainsFunc(want.Values, func(value string) bool { return !slices.Contains(found.Enums[i].Values, value) }) {
				return "it lacks values of enum " + want.Name
			}
		case !slices.Equal(found.Enums[i].Values, want.Values):
			return "it has other values of enum " + want.Name
		}
	}
	return ""
}
