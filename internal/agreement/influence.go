package agreement

import (
	"context"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
)

// Influence compares the answers of annotators who were shown the suggestions with those of annotators who were not.
type Influence struct {
	Shown, Hidden Sides
	// Difference is the share of Shown minus that of Hidden: how much more often annotators side with a robot because they see what it
	// suggests, if it does not depend on the URL and the annotator whether they do.
	Difference Estimate
}

// Sides says how often annotators sided with robots.
type Sides struct {
	Answers int64    // about URLs for which a robot suggested something
	Share   *float64 // nil without answers
	Sided   int64    // of these, the ones that contain the robot's value
}

// reasonOneSide is why there is no difference.
const reasonOneSide = "no answers with the suggestions shown, or none with them hidden"

// influenceOn is the influence on an attribute. An interval is of samples of the URLs, as those of the coefficients: what
// annotators say about one URL depends on the URL.
func influenceOn(ctx context.Context, rows []db.RobotInfluenceListRow, o Options) (Influence, error) {
	var all sides
	units := 0
	for _, row := range rows {
		all.add(row, int64(row.Urls))
		units += int(row.Urls)
	}
	intervals := intervals{options: o, units: units, draws: units}
	estimates, err := intervals.estimate(ctx, []optional{all.difference()}, func() replicateFunc {
		return func(from *sampler) []optional {
			var drawn sides
			for _, row := range rows {
				drawn.add(row, int64(from.units(row.Urls)))
			}
			return []optional{drawn.difference()}
		}
	})
	if err != nil {
		return Influence{}, err
	}
	return Influence{Shown: all.shown.sides(), Hidden: all.hidden.sides(), Difference: estimates[0]}, nil
}

// sides are numbers of answers.
type sides struct{ shown, hidden side }

type side struct{ answers, sided int64 }

// add adds the answers about so many URLs.
func (s *sides) add(row db.RobotInfluenceListRow, urls int64) {
	s.shown.answers += urls * row.Shown
	s.shown.sided += urls * row.ShownSided
	s.hidden.answers += urls * row.Hidden
	s.hidden.sided += urls * row.HiddenSided
}

func (s *sides) difference() optional {
	if s.shown.answers == 0 || s.hidden.answers == 0 {
		return optional{reason: reasonOneSide}
	}
	return optional{value: s.shown.share() - s.hidden.share()}
}

func (s side) share() float64 { return float64(s.sided) / float64(s.answers) }

func (s side) sides() Sides {
	sides := Sides{Answers: s.answers, Sided: s.sided}
	if s.answers > 0 {
		sides.Share = new(s.share())
	}
	return sides
}

func (r Request) influences(ctx context.Context, tx pgx.Tx) (map[consensus.Attribute]Influence, error) {
	rows, err := queries.RobotInfluenceList(ctx, tx, r.BatchID)
	if err != nil {
		return nil, err
	}
	byAttribute := map[consensus.Attribute][]db.RobotInfluenceListRow{}
	for _, row := range rows {
		attribute := consensus.Attribute(row.Attribute)
		byAttribute[attribute] = append(byAttribute[attribute], row)
	}
	influences := map[consensus.Attribute]Influence{}
	for _, attribute := range consensus.Attributes {
		if influences[attribute], err = influenceOn(ctx, byAttribute[attribute], r.Options); err != nil {
			return nil, err
		}
	}
	return influences, nil
}
