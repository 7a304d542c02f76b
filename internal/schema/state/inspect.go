package state

import (
	"context"
	"errors"
	"fmt"
)

// revisionsTable is Atlas's record of applied migrations. It is not a part of the schema.
const revisionsTable = "atlas_schema_revisions"

// Inspect reads the public schema through db, a connection or transaction. Its search_path must be public. Objects that match
// exclude (glob patterns for objects, or TABLE.PART for parts of tables) are left out, and so is Atlas's revisions table. Inspect
// waits for locks for the session's lock_timeout, or 30 seconds if that is not set. In a transaction that is not REPEATABLE READ,
// Inspect may see only a part of a change that is committed meanwhile.
//
// The role must own the tables, or be a member of the roles that own them: PostgreSQL hides parts of a table from others.
func Inspect(ctx context.Context, db Conn, exclude []string) (_ *State, err error) {
	db, closeSession, err := openSession(ctx, db)
	if err != nil {
		return nil, err
	}
	defer closeSession(&err)
	s := &State{}
	if err := s.readServer(ctx, db); err != nil {
		return nil, err
	}
	patterns, err := parsePatterns(exclude)
	if err != nil {
		return nil, err
	}
	r := reader{State: s, db: db, exclude: patterns, relations: map[string]relation{}, viewIndexes: map[string][]*Index{}}
	for _, read := range []func(context.Context) error{
		r.readRelations, r.readDefaultGrants, r.readExtensions, r.readEnums, r.readTables, r.readIndexes,
		r.readViews, r.readUses, r.readSequences, r.readCasts, r.readTypes, r.readUnmanaged, r.readDependents,
	} {
		if err := read(ctx); err != nil {
			return nil, adviseOnLock(s.Database, err)
		}
	}
	s.fillEmpty()
	return s, nil
}

// fillEmpty replaces nil lists by empty ones, so that the JSON has [] and never null.
func (s *State) fillEmpty() {
	s.DefaultGrants = list(s.DefaultGrants)
	s.Extensions, s.Enums, s.Details = list(s.Extensions), list(s.Enums), list(s.Details)
	s.Sequences, s.Views = list(s.Sequences), list(s.Views)
	s.Unmanaged, s.Excluded = list(s.Unmanaged), list(s.Excluded)
	for _, t := range s.Details {
		t.Columns, t.Constraints, t.Indexes = list(t.Columns), list(t.Constraints), list(t.Indexes)
	}
	for _, v := range s.Views {
		v.Columns, v.Options, v.Grants, v.Reads = list(v.Columns), list(v.Options), list(v.Grants), list(v.Reads)
	}
}

func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// reader is what the steps of one inspection share.
type reader struct {
	*State
	db        Conn
	exclude   []pattern
	relations map[string]relation // all tables, views and the like in public, by name

	viewIndexes map[string][]*Index // of materialized views, by view
}

// relation is a table, view, materialized view, foreign table, or partitioned table in public.
type relation struct {
	Name     string
	Kind     string // pg_class.relkind
	Owner    string
	Readable bool // whether PostgreSQL shows the role the whole definition
	Child    bool // it inherits from another table, or is a partition
	Rows     int64
	Bytes    int64

	excluded bool
}

// managed reports whether the relation is a part of the state.
func (r relation) managed() bool {
	return !r.excluded && !r.Child && (r.Kind == "r" || r.Kind == "v" || r.Kind == "m")
}

func (r relation) table() bool { return r.managed() && r.Kind == "r" }

func (s *State) readServer(ctx context.Context, db Conn) error {
	type server struct {
		Version  int
		Database string
		Role     string
		Host     string
		Path     string
		Public   bool
		Comment  string
	}
	rows, err := query[server](ctx, db, "inspect server", `
SELECT current_setting('server_version_num')::int AS version, current_database() AS database, current_user AS role,
    coalesce(host(inet_server_addr()), 'local socket') AS host, current_setting('search_path') AS path,
    current_schemas(false) = '{public}' AS public, (SELECT d.description FROM pg_description d
     WHERE d.classoid = 'pg_namespace'::regclass AND d.objoid = to_regnamespace('public')
         AND d.description <> 'standard public schema') AS comment -- PostgreSQL's default`)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return errors.New("inspect server: it returned no row")
	}
	s.Major, s.Role, s.Comment = rows[0].Version/10000, rows[0].Role, rows[0].Comment
	s.Database = fmt.Sprintf("%q at %s", rows[0].Database, rows[0].Host)
	if !rows[0].Public {
		return fmt.Errorf("inspect database %s: definitions can only be compared when search_path is public, and it is %q; "+
			"set it on the connection", s.Database, rows[0].Path)
	}
	return nil
}

// readRelations lists the relations that are not members of extensions.
func (r *reader) readRelations(ctx context.Context) error {
	all, err := query[relation](ctx, r.db, "inspect relations", `
SELECT c.relname AS name, c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS readable,
    EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AS child, c.reltuples::bigint AS rows,
    CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END AS bytes
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`)
	if err != nil {
		return err
	}
	r.Estimates = map[string]Estimate{}
	for _, rel := range all {
		rel.excluded = r.excludes(selectorKinds[rel.Kind], rel.Name)
		if rel.excluded && rel.Name != revisionsTable {
			r.Excluded = append(r.Excluded, Object{Kind: relationKinds[rel.Kind], Name: rel.Name})
		}
		r.relations[rel.Name] = rel
		if rel.managed() && rel.Kind != "v" {
			r.Estimates[rel.Name] = Estimate{rel.Rows, rel.Bytes}
		}
		if rel.table() && !rel.Readable {
			return fmt.Errorf("inspect database %s: table %s belongs to role %s, and PostgreSQL shows its defaults only to members of "+
				"that role; connect as %[3]s, as a member of it or as a superuser", r.Database, rel.Name, rel.Owner)
		}
	}
	return nil
}

var relationKinds = map[string]string{
	"r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table",
}

// selectorKinds are the names of kinds of relations in patterns.
var selectorKinds = map[string]string{"r": "table", "p": "table", "f": "table", "v": "view", "m": "materialized"}

func (r *reader) readExtensions(ctx context.Context) error {
	type extension struct{ Name string }
	all, err := query[extension](ctx, r.db, "inspect extensions",
		`SELECT extname AS name FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname COLLATE "C"`)
	for _, e := range all {
		r.Extensions = append(r.Extensions, e.Name)
	}
	return err
}
