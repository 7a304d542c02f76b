package consensus

import (
	"context"
	"fmt"

	"docket/internal/db"
)

var queries = db.New()

// CurrentRule returns the rule by which votes become facts now. A rule with numbers that Check refuses is an error.
func CurrentRule(ctx context.Context, on db.DBTX) (Rule, error) {
	row, err := queries.ConsensusRuleGet(ctx, on)
	if err != nil {
		return Rule{}, fmt.Errorf("read the rule: %w", err)
	}
	rule := Rule(row)
	if err := rule.Check(); err != nil {
		return Rule{}, fmt.Errorf("the view consensus_rule: %w", err)
	}
	return rule, nil
}
