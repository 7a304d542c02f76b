package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs this package acts on.
const (
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	queryCanceled         = "57014"
	lockNotAvailable      = "55P03"
	insufficientRights    = "42501"
	notNullViolation      = "23502"
	cannotConnectNow      = "57P03"
	invalidParameterValue = "22023"
	protocolViolation     = "08P01"
	featureNotSupported   = "0A000" // a prepared statement whose columns have changed, among others
	invalidStatementName  = "26000"
	readOnlyTransaction   = "25006"
	transactionTimeout    = "25P04" // the server's own limit, since PostgreSQL 17
	diskFull              = "53100"
	outOfMemory           = "53200"
	tooManyConnections    = "53300"
)

// Rule maps one kind of database error to an error of a use case.
type Rule struct {
	matches func(*pgconn.PgError) bool
	means   error
}

// On is the rule for the violation of a named constraint or unique index.
func On(constraint string, means error) Rule {
	return Rule{func(err *pgconn.PgError) bool { return err.ConstraintName == constraint }, means}
}

// OnNull is the rule for a null in a column that refuses it.
func OnNull(table, column string, means error) Rule {
	return Rule{func(err *pgconn.PgError) bool {
		return err.Code == notNullViolation && err.TableName == table && err.ColumnName == column
	}, means}
}

// onState is the rule for a SQLSTATE, for errors that concern no constraint.
func onState(sqlState string, means error) Rule {
	return Rule{func(err *pgconn.PgError) bool { return err.Code == sqlState }, means}
}

// Meaning returns the error of the use case that the rule maps a database error to, or nil.
func (r Rule) Meaning(err *pgconn.PgError) error {
	if !r.matches(err) {
		return nil
	}
	return r.means
}

// IsDenied reports whether the role of the connection lacks a privilege that a statement needs.
func IsDenied(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == insufficientRights
}

// timeouts are rules of every Pool: a statement or transaction that reached its timeout fails as if the deadline of the
// request had come first.
var timeouts = []Rule{onState(queryCanceled, context.DeadlineExceeded), onState(transactionTimeout, context.DeadlineExceeded)}

// rules are tried in order; the first that matches is applied, and timeouts after them.
type rules []Rule

// translate returns the error that a rule maps err to, wrapped around err, or err when no rule matches. Translating twice
// changes nothing: a statement of a Pool may run within InTx.
func (r rules) translate(err error) error {
	if err == nil {
		return nil
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	meaning := r.meaning(pgErr)
	if meaning == nil || errors.Is(err, meaning) {
		return err
	}
	return fmt.Errorf("%w: %w", meaning, err)
}

func (r rules) meaning(err *pgconn.PgError) error {
	for _, rule := range slices.Concat(r, timeouts) {
		if meaning := rule.Meaning(err); meaning != nil {
			return meaning
		}
	}
	return nil
}
