package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs this package acts on.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	queryCanceled        = "57014"
	cannotConnectNow     = "57P03"
	featureNotSupported  = "0A000" // a prepared statement whose columns have changed, among others
	invalidStatementName = "26000"
)

// Rule says which error of a use case one kind of database error means.
type Rule struct {
	matches func(error) bool
	means   error
}

// On is the rule for the violation of a named constraint or unique index.
func On(constraint string, means error) Rule {
	return Rule{func(err error) bool {
		var pgErr *pgconn.PgError
		return errors.As(err, &pgErr) && pgErr.ConstraintName == constraint
	}, means}
}

// onState is the rule for a SQLSTATE, for errors that concern no constraint.
func onState(sqlState string, means error) Rule {
	return Rule{func(err error) bool {
		var pgErr *pgconn.PgError
		return errors.As(err, &pgErr) && pgErr.Code == sqlState
	}, means}
}

// Translate returns what the first matching rule says, wrapped around the cause, or err when no rule matches.
// A statement that ran into its timeout is a context.DeadlineExceeded without any rule, as it would be had
// Docket's own clock been first.
func Translate(err error, rules ...Rule) error {
	if err == nil {
		return nil
	}
	for _, rule := range rules {
		if rule.matches(err) {
			return fmt.Errorf("%w: %w", rule.means, err)
		}
	}
	if timeout := onState(queryCanceled, context.DeadlineExceeded); timeout.matches(err) && !errors.Is(err, timeout.means) {
		return fmt.Errorf("%w: %w", timeout.means, err)
	}
	return err
}
