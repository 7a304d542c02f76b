package consensus

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// simulatedURLs is how many URLs a simulation reads at a time: all their votes are in memory together.
const simulatedURLs = 2000

// Simulation is what a rule would have made of all answers.
type Simulation struct {
	Rule    Rule // with the version 0 unless it is the current rule
	Current Rule

	URLs       int64 // all, with or without votes
	Answers    int64 // of annotators about a URL, each counted one time
	Incomplete int64 // URLs of which votes were transferred or deleted since, so that not all moments are known

	Validated   map[string]int64     // URLs by the type as which the rule validates them
	Annotators  map[int]int64        // URLs that the rule validates, by how many had voted about them then
	Comparisons map[Comparison]int64 // URLs that the rule validates or that are validated

	CurrentAnnotators map[int]int64 // Annotators by the current rule
}

// Facts is how many URLs the rule validates.
func (s Simulation) Facts() (facts int64) {
	for _, count := range s.Validated {
		facts += count
	}
	return facts
}

// AnswersPerFact is how many annotators had voted about a URL when the rule validated it, on average; 0 without a fact.
func (s Simulation) AnswersPerFact() float64 {
	_, answers := factsAnd(s.Annotators)
	return answers
}

// OfCurrent returns Facts and AnswersPerFact of the current rule, replayed on the same answers.
func (s Simulation) OfCurrent() (facts int64, answersPerFact float64) {
	return factsAnd(s.CurrentAnnotators)
}

// factsAnd returns the number of facts and the answers for each on average, given the facts by how many had voted.
func factsAnd(annotators map[int]int64) (facts int64, answersPerFact float64) {
	var answers int64
	for voted, count := range annotators {
		facts += count
		answers += int64(voted) * count
	}
	return facts, float64(answers) / float64(max(1, facts))
}

// Differences is how many URLs a consensus stored otherwise than the rule would.
func (s Simulation) Differences() (differences int64) {
	for _, comparison := range Comparisons {
		if comparison.Differs() {
			differences += s.Comparisons[comparison]
		}
	}
	return differences
}

// Comparison is how a simulation and what is stored about a URL compare.
type Comparison string

// The comparisons. Facts by hand and by other programs were not made by a rule of Docket's, so they are apart.
const (
	AsStored      Comparison = "as stored"
	OtherValues   Comparison = "other values"
	StoredOnly    Comparison = "stored only"
	SimulatedOnly Comparison = "simulated only"
	Waiting       Comparison = "waiting"  // decided by the current rule, and a process has not validated it yet
	Obstructed    Comparison = "obstacle" // not validated, because what is stored contradicts the decision

	OtherwiseSame      Comparison = "validated otherwise, same"
	OtherwiseOther     Comparison = "validated otherwise, other values"
	OtherwiseUndecided Comparison = "validated otherwise, undecided"
)

// Comparisons are all comparisons, in the order in which they are shown.
var Comparisons = []Comparison{
	AsStored, OtherValues, StoredOnly, SimulatedOnly, Waiting, Obstructed, OtherwiseSame, OtherwiseOther, OtherwiseUndecided,
}

// Differs reports whether the rule makes another fact than a consensus stored.
func (c Comparison) Differs() bool { return c == OtherValues || c == StoredOnly || c == SimulatedOnly }

// Difference is a URL of which the rule makes another fact than a consensus stored.
type Difference struct {
	URLID             int32
	Comparison        Comparison
	Stored, Simulated *Fact // nil if there is none
}

// SimulateOptions are the rule and what is reported. The zero value is the current rule.
type SimulateOptions struct {
	Threshold, AnonymousWeight *float64 // nil: that of the current rule

	Progress   func(done, total int64) // unless nil, is called with numbers of URLs
	Difference func(Difference) error  // unless nil, is called for each difference, by URL; an error ends the simulation
}

// Check returns ErrThreshold or ErrWeight for a number that a rule must not have.
func (o SimulateOptions) Check() error { return o.ruleFrom(Rule{Threshold: 1}).Check() }

// ruleFrom returns the current rule with the numbers of the options.
func (o SimulateOptions) ruleFrom(current Rule) Rule {
	rule := current
	if o.Threshold != nil {
		rule.Threshold = *o.Threshold
	}
	if o.AnonymousWeight != nil {
		rule.AnonymousWeight = *o.AnonymousWeight
	}
	if rule != current {
		rule.Version = 0
	}
	return rule
}

// Simulate replays all answers with a rule, as of one snapshot, and writes nothing. The answers about a URL are added in the order of
// time; the URL is validated at the first moment of consensus. A fact that a rule with the same numbers made is decided by the votes
// that it has recorded. The memory does not grow with the number of URLs. It returns
// ErrThreshold or ErrWeight for numbers that a rule must not have.
func (e *Explainer) Simulate(ctx context.Context, o SimulateOptions) (done Simulation, err error) {
	err = postgres.InSnapshot(ctx, e.pool, func(tx pgx.Tx) error {
		s := simulator{tx: tx, options: o, Simulation: Simulation{
			Validated: map[string]int64{}, Annotators: map[int]int64{}, Comparisons: map[Comparison]int64{},
			CurrentAnnotators: map[int]int64{},
		}}
		if err := s.run(ctx); err != nil {
			return err
		}
		done = s.Simulation
		return nil
	})
	if err != nil {
		return Simulation{}, fmt.Errorf("simulate a rule: %w", err)
	}
	return done, nil
}

type simulator struct {
	Simulation
	tx      pgx.Tx
	options SimulateOptions
}

func (s *simulator) run(ctx context.Context) (err error) {
	if s.Current, err = CurrentRule(ctx, s.tx); err != nil {
		return err
	}
	s.Rule = s.options.ruleFrom(s.Current)
	if err := s.Rule.Check(); err != nil {
		return err
	}
	progress := s.options.Progress
	if progress == nil {
		progress = func(int64, int64) {}
	}
	total, err := queries.URLCountAll(ctx, s.tx)
	if err != nil {
		return fmt.Errorf("count URLs: %w", err)
	}
	for after := int32(math.MinInt32); ; {
		window, err := queries.URLWindowGet(ctx, s.tx, db.URLWindowGetParams{AfterID: after, Most: simulatedURLs})
		if err != nil {
			return fmt.Errorf("choose URLs: %w", err)
		}
		if window.Count == 0 {
			return nil
		}
		if err := s.window(ctx, window.FirstID, window.LastID); err != nil {
			return err
		}
		after = window.LastID
		progress(s.URLs, total)
	}
}

// window replays the URLs of a range of ids.
func (s *simulator) window(ctx context.Context, first, last int32) error {
	urls, err := queries.ReplayURLList(ctx, s.tx, db.ReplayURLListParams{FirstID: first, LastID: last})
	if err != nil {
		return fmt.Errorf("read URLs: %w", err)
	}
	votes, err := queries.ReplayVoteList(ctx, s.tx, db.ReplayVoteListParams{FirstID: first, LastID: last})
	if err != nil {
		return fmt.Errorf("read votes: %w", err)
	}
	var compared []Difference
	for _, url := range urls {
		own := 0
		for own < len(votes) && votes[own].URLID == url.ID {
			own++
		}
		difference, err := s.url(url, votes[:own])
		if err != nil {
			return fmt.Errorf("URL %d: %w", url.ID, err)
		}
		votes = votes[own:]
		if difference.Comparison != "" {
			compared = append(compared, difference)
		}
	}
	waiting, err := s.waiting(ctx, compared)
	if err != nil {
		return err
	}
	for _, d := range compared {
		if _, found := slices.BinarySearch(waiting, d.URLID); found {
			d.Comparison = Waiting
		}
		s.Comparisons[d.Comparison]++
		if d.Comparison.Differs() && s.options.Difference != nil {
			if err := s.options.Difference(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// url replays the votes about a URL. The Comparison is empty if there is no fact, neither stored nor simulated.
func (s *simulator) url(row db.ReplayURLListRow, votes []db.ReplayVoteListRow) (d Difference, err error) {
	past := urlVotes{
		votes: votes, annotators: int(row.FactAnnotators), transferred: row.Transferred, reopened: row.ReopenedAt,
		rule: Rule{Threshold: row.FactThreshold, AnonymousWeight: row.FactAnonymousWeight},
	}
	d.URLID = row.ID
	if row.FactURLType != nil {
		d.Stored = new(factFrom(*row.FactURLType, row.FactRecordType, row.FactAgencyID, row.FactLocationID, row.FactName))
		if past.recorded, err = votesFromJSON(row.FactVotes); err != nil {
			return d, err
		}
	}
	result := s.Rule.replay(past)
	s.URLs++
	if !result.complete {
		s.Incomplete++
	}
	s.Answers += int64(result.all)
	if result.decided {
		d.Simulated = &result.fact
		s.Validated[result.fact.URLType]++
		s.Annotators[result.annotators]++
	}
	current := result
	if s.Rule != s.Current {
		current = s.Current.replay(past)
	}
	if current.decided {
		s.CurrentAnnotators[current.annotators]++
	}
	d.Comparison = compare(d.Stored, d.Simulated, row)
	return d, nil
}

func compare(stored, simulated *Fact, row db.ReplayURLListRow) Comparison {
	existing := confirmedFrom(row.RecordType, row.AgencyIDs, row.LocationIDs)
	switch {
	case stored != nil && simulated == nil:
		return StoredOnly
	case stored != nil && *stored == *simulated:
		return AsStored
	case stored != nil:
		return OtherValues
	case row.ValidatedType != nil && simulated == nil:
		return OtherwiseUndecided
	case row.ValidatedType != nil && string(*row.ValidatedType) == simulated.URLType && len(existing.against(*simulated)) == 0:
		return OtherwiseSame
	case row.ValidatedType != nil:
		return OtherwiseOther
	case simulated == nil:
		return ""
	case len(existing.against(*simulated)) > 0:
		return Obstructed
	}
	return SimulatedOnly
}

// waiting returns which of the URLs that are simulated only the current rule validates as soon as a process decides about them, by id.
func (s *simulator) waiting(ctx context.Context, compared []Difference) ([]int32, error) {
	var only []int32
	for _, d := range compared {
		if d.Comparison == SimulatedOnly {
			only = append(only, d.URLID)
		}
	}
	if len(only) == 0 || s.Rule != s.Current {
		return nil, nil
	}
	waiting, err := queries.ConsensusDueURLList(ctx, s.tx, only)
	if err != nil {
		return nil, fmt.Errorf("read what is due: %w", err)
	}
	return waiting, nil
}
