package lint

// rule describes a code: its analyzer, its severity and what to do instead.
type rule struct {
	analyzer string // as policies and directives name it
	err      bool   // its severity unless the policy says otherwise
	always   bool   // an error despite policies and directives: the file does not work
	instead  string
}

func (r rule) severity(policy Policy) Severity {
	isError := r.err
	if set, ok := policy[r.analyzer]; ok {
		isError = set
	}
	if r.always || isError {
		return Error
	}
	return Warning
}

// The codes of this package; the others are Atlas's.
const (
	codeCannotRun    = "DK101"
	codeConcurrently = "DK102"
	codeNewEnumValue = "DK103"
	codeNoUnique     = "DK201"
	codeRebuild      = "DK202"
	codeUnpopulated  = "DK203"
	codeGrants       = "DK204"
	codeViewGone     = "DK205"
	codeCreateIndex  = "DK301"
	codeDropIndex    = "DK302"
	codeRewrite      = "DK303"
	codeTruncate     = "DK304"
	codeValidate     = "DK305"
	codeUnlogged     = "DK306"
	codeNoDown       = "DK401"
	codeDownDiffers  = "DK402"
	codeDownFails    = "DK403"
	codeDownRefuses  = "DK404"
)

const ownFile = `a file of its own that begins with "-- atlas:txmode none" and an empty line`

var rules = map[string]rule{
	"DS101": {analyzer: "destructive", err: true, instead: keepData},
	"DS102": {analyzer: "destructive", err: true, instead: keepData},
	"DS103": {analyzer: "destructive", err: true, instead: keepData},
	"MF101": {analyzer: "data_depend", instead: "search duplicates first, and remove them in this file before the index"},
	"MF102": {analyzer: "data_depend", instead: "search duplicates first, and remove them in this file before the index"},
	"MF103": {analyzer: "data_depend", instead: "add it with a DEFAULT, or nullable, fill it, then SET NOT NULL"},
	"MF104": {analyzer: "data_depend", instead: "fill the NULLs with an UPDATE before this statement"},
	"CD101": {analyzer: "condrop", instead: "make sure that nothing relies on it: rows that reference missing rows become possible"},
	"BC101": {analyzer: "incompatible", instead: "keep a view with the old name until no running program uses it"},
	"BC102": {analyzer: "incompatible", instead: "add the new column, and drop the old one in a later release"},

	codeCannotRun: {analyzer: "run", always: true, instead: "correct the statement: the files before this one did run"},
	codeConcurrently: {analyzer: "run", always: true,
		instead: "CONCURRENTLY does not work inside a transaction: move it to " + ownFile},

	codeNewEnumValue: {analyzer: "data_depend", err: true,
		instead: "move the ALTER TYPE … ADD VALUE to a file of its own, with an earlier version: " +
			"a value can be used once it is committed"},

	codeNoUnique: {analyzer: "materialized_view_index", err: true,
		instead: "give it a unique index of plain columns without WHERE; " +
			"to replace one, create the new one first, drop the old one and rename the new one"},
	codeRebuild: {analyzer: "materialized_view_rebuild",
		instead: "apply it when readers can wait; if only indexes or comments change, change those and keep the view"},
	codeUnpopulated: {analyzer: "materialized_view_rebuild",
		instead: "create it without WITH NO DATA, or end the file with a REFRESH MATERIALIZED VIEW"},
	codeGrants: {analyzer: "view_grants",
		instead: "read the grants from pg_class.relacl before the drop and grant them again afterwards, " +
			"as planned migrations do; or use CREATE OR REPLACE VIEW where it suffices"},
	codeViewGone: {analyzer: "incompatible", instead: "keep it until no running program reads it"},

	codeCreateIndex: {analyzer: "concurrent_index", instead: "use CREATE INDEX CONCURRENTLY in " + ownFile},
	codeDropIndex:   {analyzer: "concurrent_index", instead: "use DROP INDEX CONCURRENTLY in " + ownFile},
	codeRewrite: {analyzer: "table_rewrite",
		instead: "add a new column, fill it in batches and switch over, or apply it when the database is not in use"},
	codeTruncate: {analyzer: "destructive", err: true, instead: keepData},
	codeValidate: {analyzer: "constraint_scan",
		instead: "add it NOT VALID, which reads no row, and VALIDATE CONSTRAINT in the next file, which blocks no other session"},
	codeUnlogged: {analyzer: "unlogged_table",
		instead: "keep it logged, unless its rows can be computed again or their loss harms nothing"},

	codeNoDown: {analyzer: "down_file", instead: "write the statements that undo it, or waive it with -- atlas:nolint down_file"},
	codeDownDiffers: {analyzer: "down_file", err: true,
		instead: "make the down file restore what was there before, or waive it with -- atlas:nolint down_file"},
	codeDownFails: {analyzer: "down_file", err: true, instead: "correct the statement: the files up to this one did run"},
	codeDownRefuses: {analyzer: "down_file",
		instead: "write what undoes it if that is possible; otherwise make a backup before applying it"},
}

const keepData = "keep the data until no running program needs it; if that is so and there is a backup, " +
	"say -- atlas:nolint destructive above the statement"
