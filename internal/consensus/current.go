package consensus

import (
	"context"
	"fmt"

	"docket/internal/db"
)

var queries = db.New()

// CurrentRule returns the rule by which votes become facts now.
func CurrentRule(ctx context.Context, on db.DBTX) (Rule, error) {
	row, err := queries.ConsensusRuleGet(ctx, on)
	if err != nil {
		return Rule{}, fmt.Errorf("read the rule: %w", err)
	}
	return Rule(row), nil
}
