package consensus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/tasks"
)

// outcome is what became of URLs in a transaction. Each list is ascending.
type outcome struct {
	validated  []int32
	impossible []obstacle
	failed     []failure
	locked     []int32 // another transaction held their locks for too long
}

// obstacle is why a URL cannot be validated although its votes make a fact.
type obstacle struct {
	urlID int32
	text  string
	known bool // an earlier run has reported the same
}

// failure is an error that concerns one URL.
type failure struct {
	urlID int32
	err   error
}

func (f failure) Error() string { return fmt.Sprintf("validate URL %d: %v", f.urlID, f.err) }

func (f failure) Unwrap() error { return f.err }

func (o outcome) and(more outcome) outcome {
	return outcome{
		append(o.validated, more.validated...), append(o.impossible, more.impossible...),
		append(o.failed, more.failed...), append(o.locked, more.locked...),
	}
}

// decider validates URLs within transactions of the caller.
type decider struct{ changes *changelog.Writer }

// deciding returns those of the URLs about which the votes make a fact. It locks nothing. A vote that the snapshot does not show
// is of an answer or transaction that adds a row to consensus_due itself.
func deciding(ctx context.Context, on db.DBTX, rule Rule, urlIDs []int32) ([]int32, error) {
	votes, err := LoadVotes(ctx, on, urlIDs)
	if err != nil {
		return nil, err
	}
	decided := slices.DeleteFunc(slices.Clone(urlIDs), func(id int32) bool {
		_, decided := rule.Decide(votes[id])
		return !decided
	})
	reopened, err := reopenedOf(ctx, on, decided)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(decided, reopened.contain), nil
}

// nextLockTimeout is how long a transaction waits for a lock after it has waited in vain for one.
const nextLockTimeout = "20ms"

// validateEach validates those of the URLs about which the votes make a fact. If that fails, it validates half of the URLs and
// then the others, so that a URL whose data is wrong does not prevent the others. It returns errors that concern the transaction
// or the server.
func (d decider) validateEach(ctx context.Context, tx pgx.Tx, rule Rule, urlIDs []int32) (done outcome, err error) {
	if len(urlIDs) == 0 {
		return outcome{}, nil
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		done, err = d.validate(ctx, tx, rule, urlIDs)
		return err
	})
	switch {
	case err == nil:
		return done, nil
	case ctx.Err() != nil || postgres.IsUnavailable(err) && !postgres.IsLockTimeout(err):
		return outcome{}, err
	case len(urlIDs) == 1 && postgres.IsLockTimeout(err):
		return outcome{locked: urlIDs}, nil
	case len(urlIDs) == 1:
		return outcome{failed: []failure{{urlIDs[0], err}}}, nil
	case postgres.IsLockTimeout(err):
		// Answers wait for what the transaction has locked, so it has waited long enough.
		if err := queries.LockTimeoutSet(ctx, tx, nextLockTimeout); err != nil {
			return outcome{}, fmt.Errorf("set lock timeout: %w", err)
		}
	}
	half := len(urlIDs) / 2
	first, err := d.validateEach(ctx, tx, rule, urlIDs[:half])
	if err != nil {
		return outcome{}, err
	}
	second, err := d.validateEach(ctx, tx, rule, urlIDs[half:])
	return first.and(second), err
}

// fact is a Fact about a URL with the votes behind it.
type fact struct {
	Fact
	urlID int32
	votes Votes
}

// validate locks the URLs, then their rows of the queue, so that it sees all votes and nothing is validated twice. The ids are
// ascending. A URL that is deleted, or validated already, is left out.
func (d decider) validate(ctx context.Context, tx pgx.Tx, rule Rule, urlIDs []int32) (done outcome, err error) {
	if err := queries.ConsensusURLLockMany(ctx, tx, urlIDs); err != nil {
		return done, fmt.Errorf("lock URLs: %w", err)
	}
	if err := ranking.Lock(ctx, tx, urlIDs); err != nil {
		return done, err
	}
	states, err := queries.ConsensusStateList(ctx, tx, urlIDs)
	if err != nil {
		return done, fmt.Errorf("read what is known about URLs: %w", err)
	}
	votes, err := LoadVotes(ctx, tx, urlIDs)
	if err != nil {
		return done, err
	}
	reopened, err := reopenedOf(ctx, tx, urlIDs)
	if err != nil {
		return done, err
	}
	var (
		facts    []fact
		outdated []int32 // URLs whose reports are removed
	)
	for _, state := range states {
		decided, ok := rule.Decide(votes[state.ID])
		ok = ok && !reopened.contain(state.ID)
		text := ""
		if ok {
			stored := confirmedFrom(state.RecordType, state.AgencyIDs, state.LocationIDs)
			text = strings.Join(stored.against(decided), "; ")
		}
		switch {
		case text != "":
			done.impossible = append(done.impossible, obstacle{state.ID, text, text == state.Report})
			continue
		case ok:
			facts = append(facts, fact{decided, state.ID, votes[state.ID]})
			done.validated = append(done.validated, state.ID)
		}
		if state.Report != "" {
			outdated = append(outdated, state.ID)
		}
	}
	if len(outdated) > 0 {
		if err := queries.ConsensusReportDeleteMany(ctx, tx, outdated); err != nil {
			return done, fmt.Errorf("remove reports: %w", err)
		}
	}
	if len(facts) == 0 {
		return done, nil
	}
	if err := d.write(ctx, tx, rule, facts); err != nil {
		return done, err
	}
	return done, ranking.Recount(ctx, tx, done.validated)
}

// id returns the number of an agency or a location, which is a value of the view annotation_votes; 0 for an empty text.
func id(value string) int64 {
	number, _ := strconv.ParseInt(value, 10, 64)
	return number
}

// write stores facts about URLs that are locked and not validated, in the order of the URLs, with the changes in the change log and
// the events in the history.
func (d decider) write(ctx context.Context, tx pgx.Tx, rule Rule, facts []fact) error {
	params := db.ConsensusFactInsertManyParams{
		RuleVersion: rule.Version, Threshold: rule.Threshold, AnonymousWeight: rule.AnonymousWeight,
	}
	for _, fact := range facts {
		votes, err := json.Marshal(fact.votes)
		if err != nil {
			return fmt.Errorf("encode votes about URL %d: %w", fact.urlID, err)
		}
		params.URLIDs = append(params.URLIDs, fact.urlID)
		params.URLTypes = append(params.URLTypes, fact.URLType)
		params.RecordTypes = append(params.RecordTypes, fact.RecordType)
		params.AgencyIDs = append(params.AgencyIDs, int32(id(fact.Agency)))
		params.LocationIDs = append(params.LocationIDs, id(fact.Location))
		params.Names = append(params.Names, fact.Name)
		params.Votes = append(params.Votes, votes)
	}
	stored, err := queries.ConsensusFactInsertMany(ctx, tx, params)
	if err != nil {
		return fmt.Errorf("store facts: %w", err)
	}
	events := make(map[int32]*history.Validation, len(facts)) // what happened, by URL
	for i, row := range stored {
		events[row.URLID] = validationOf(rule, facts[i].Fact)
		events[row.URLID].Users, events[row.URLID].Sessions = row.Users, row.Sessions
		events[row.URLID].Added = history.Added{RecordType: row.RecordTypeAdded, Location: row.LocationAdded}
	}
	links, err := queries.ConsensusAgencyInsertMany(ctx, tx, db.ConsensusAgencyInsertManyParams{
		URLIDs: params.URLIDs, AgencyIDs: params.AgencyIDs,
	})
	if err != nil {
		return fmt.Errorf("add agencies to URLs: %w", err)
	}
	linked, touched := changelog.New(db.OperationTypeINSERT, changelog.URLAgencies), []int32(nil)
	for _, link := range links {
		linked.Add(link.ID, nil, link.NewData)
		touched = append(touched, link.URLID)
		events[link.URLID].Added.Agency = true
	}
	if err := d.changes.Write(ctx, tx, linked); err != nil {
		return err
	}
	renamed, err := queries.ConsensusURLUpdateMany(ctx, tx, db.ConsensusURLUpdateManyParams{
		URLIDs: params.URLIDs, Names: params.Names, ChangedURLIDs: touched,
	})
	if err != nil {
		return fmt.Errorf("set names of URLs: %w", err)
	}
	updated := changelog.New(db.OperationTypeUPDATE, changelog.URLs)
	for _, url := range renamed {
		updated.Add(url.ID, url.OldData, url.NewData)
		if url.Renamed {
			events[url.ID].Added.Name, events[url.ID].Added.PreviousName = true, url.PreviousName
		}
	}
	if err := d.changes.Write(ctx, tx, updated); err != nil {
		return err
	}
	return history.Append(ctx, tx, convert.Each(facts, func(fact fact) history.Event {
		return history.Event{URLID: fact.urlID, Kind: history.Validated, Detail: events[fact.urlID]}
	}))
}

// validationOf returns the event of a fact, without what it added.
func validationOf(rule Rule, fact Fact) *history.Validation {
	return &history.Validation{
		Rule:    history.Rule{Version: rule.Version, Threshold: rule.Threshold, AnonymousWeight: rule.AnonymousWeight},
		URLType: fact.URLType, RecordType: fact.RecordType, Name: fact.Name,
		AgencyID: int32(id(fact.Agency)), LocationID: id(fact.Location),
	}
}

// report adds to a task which URLs it has validated, and why others were not. A report that an earlier run has made already is
// made again if again is set: it then belongs to this task.
func (o outcome) report(ctx context.Context, tx pgx.Tx, taskID int32, again bool) error {
	if len(o.validated) > 0 {
		if err := tasks.LinkURLs(ctx, tx, taskID, o.validated); err != nil {
			return err
		}
	}
	var reports []tasks.URLError
	for _, found := range o.impossible {
		if again || !found.known {
			reports = append(reports, tasks.URLError{URLID: found.urlID, Error: found.text})
		}
	}
	for _, found := range o.failed {
		reports = append(reports, tasks.URLError{URLID: found.urlID, Error: "the validation failed, and is tried again"})
	}
	if len(reports) == 0 {
		return nil
	}
	return tasks.AddURLErrors(ctx, tx, taskID, reports)
}

// hasNews reports whether a task is needed to report the outcome.
func (o outcome) hasNews() bool {
	return len(o.validated)+len(o.failed) > 0 || slices.ContainsFunc(o.impossible, func(found obstacle) bool { return !found.known })
}

// String says how many URLs were validated, and how many were not.
func (o outcome) String() string { return o.counts().String() }

func (o outcome) counts() counts {
	return counts{len(o.validated), len(o.impossible), len(o.failed), len(o.locked)}
}

// urls returns a number of URLs, in words.
func urls(number int) string {
	if number == 1 {
		return "1 URL"
	}
	return fmt.Sprintf("%d URLs", number)
}

type counts struct{ validated, impossible, failed, locked int }

func (c counts) and(more counts) counts {
	return counts{c.validated + more.validated, c.impossible + more.impossible, c.failed + more.failed, c.locked + more.locked}
}

func (c counts) String() string {
	text := urls(c.validated) + " validated"
	for _, part := range []struct {
		number int
		text   string
	}{
		{c.impossible, "cannot be validated because of what is stored about them"}, {c.failed, "failed"}, {c.locked, "in use"},
	} {
		if part.number > 0 {
			text += fmt.Sprintf(", %d %s", part.number, part.text)
		}
	}
	return text
}
