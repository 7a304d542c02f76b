package export

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/urlform"
)

// Fact is what is known of a validated URL, and why.
type Fact struct {
	URLID      int32
	URL        string // with scheme and trailing slash, where known
	URLType    string
	RecordType *string        // nil without one
	Agencies   []FactAgency   // by id
	Locations  []FactLocation // by id; none of a fact by hand or by the service before, which stored none
	Name       *string        // nil without one

	ValidatedAt time.Time
	UpdatedAt   time.Time // when the fact may have changed last; never before ValidatedAt

	ByAgreement bool            // validated by agreement of annotators, otherwise by hand
	Rule        *consensus.Rule // the rule of the agreement; nil without a record of it
	Votes       FactVotes

	// How many users and anonymous sessions had voted about the URL; without a record, how many have.
	Users, Sessions int32
}

// Withdrawn is a fact that was taken back: its URL is not validated any more, or only as another type than the export is about.
type Withdrawn struct {
	URLID  int32
	URL    string // with scheme and trailing slash, where known
	At     time.Time
	Reason string
}

// FactLine is a fact, or one that was taken back. One of both is nil.
type FactLine struct {
	Fact      *Fact
	Withdrawn *Withdrawn
}

func (l FactLine) urlID() int32 {
	if l.Fact != nil {
		return l.Fact.URLID
	}
	return l.Withdrawn.URLID
}

// FactAgency is an agency of a fact.
type FactAgency struct {
	ID   int32
	Name string
}

// FactLocation is a location of a fact. What it does not have, or what is not known of it, is empty.
type FactLocation struct {
	ID         int64
	Type       string
	Name       string // with the names of its county and state
	StateISO   string
	CountyFIPS string
}

// FactVotes are the votes about each attribute. An attribute that the fact does not have is nil.
type FactVotes struct {
	URLType                            VoteCount
	Agency, Location, RecordType, Name *VoteCount
}

// VoteCount counts votes by their weight: 1 for a user's, the anonymous weight of the rule for a session's. A vote is for a
// fact if its value is one that the fact has, and otherwise against it. An annotator may have voted for several agencies or
// locations.
type VoteCount struct{ For, Against float64 }

// FactOptions are the filter of an export of facts.
type FactOptions struct {
	Since *time.Time // only facts that may have changed then or later, and those that were taken back then or later
	Type  *string    // only URLs validated as this type, which must be one

	// Progress, unless nil, is called from time to time with the number of facts read and the number of all facts.
	Progress func(done, total int64)
}

// factURLs are the URLs that have a fact, with reopened ones if an export has them.
func factURLs(withReopened bool) urls {
	return urls{
		count: func(ctx context.Context, conn db.DBTX) (int64, error) {
			return queries.FactURLCountAll(ctx, conn, withReopened)
		},
		next: func(ctx context.Context, conn db.DBTX, after, most int32) (window, error) {
			row, err := queries.FactURLWindowGet(ctx, conn, db.FactURLWindowGetParams{
				AfterID: after, Most: most, WithReopened: withReopened,
			})
			return window(row), err
		},
	}
}

// Facts returns the facts as of the snapshot at the start of the iteration, by URL; with a time, those that were taken back since
// as well. There is at most one line for each URL. An error is the last thing that it yields; the export is then incomplete. An
// iteration holds a connection until it ends. ErrBusy is returned before another export of facts has the last slot, which is for
// exports of annotations.
func (s *Service) Facts(ctx context.Context, o FactOptions) iter.Seq2[FactLine, error] {
	return sequence("export facts", func(emit func(FactLine) error, begun func() bool) error {
		return s.inSnapshot(ctx, []slots{s.factSlots, s.slots}, begun, func(tx pgx.Tx) error {
			return readWindows(ctx, tx, factURLs(o.Since != nil), o.Progress, func(first, last int32) error {
				lines, err := o.read(ctx, tx, first, last)
				if err != nil {
					return err
				}
				for _, line := range lines {
					if err := emit(line); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// read reads the lines of the URLs from first to last.
func (o FactOptions) read(ctx context.Context, tx pgx.Tx, first, last int32) ([]FactLine, error) {
	ctx, end := phase.Start(ctx, phase.Export)
	defer end()
	facts, err := queries.ExportFactListWindow(ctx, tx, db.ExportFactListWindowParams{
		FirstURLID: first, LastURLID: last, Type: (*db.URLType)(o.Type), Since: o.Since, Most: windowURLs,
	})
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	lines := convert.Each(facts, func(row db.ExportFactListWindowRow) FactLine { return FactLine{Fact: new(factFrom(row))} })
	if o.Since == nil {
		return lines, nil
	}
	withdrawn, err := queries.ExportWithdrawnListWindow(ctx, tx, db.ExportWithdrawnListWindowParams{
		FirstURLID: first, LastURLID: last, Type: (*db.URLType)(o.Type), Since: *o.Since, Most: windowURLs,
	})
	if err != nil {
		return nil, fmt.Errorf("read facts that were taken back: %w", err)
	}
	for _, row := range withdrawn {
		lines = append(lines, FactLine{Withdrawn: &Withdrawn{
			URLID: row.URLID, URL: urlform.Full(row.Scheme, row.URL, row.TrailingSlash), At: row.CreatedAt, Reason: row.Reason,
		}})
	}
	slices.SortFunc(lines, func(a, b FactLine) int { return cmp.Compare(a.urlID(), b.urlID()) })
	return lines, nil
}

func factFrom(row db.ExportFactListWindowRow) Fact {
	fact := Fact{
		URLID:       row.URLID,
		URL:         urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
		URLType:     string(row.Type),
		Agencies:    make([]FactAgency, len(row.AgencyIDs)),
		Locations:   make([]FactLocation, len(row.LocationIDs)),
		Name:        row.Name,
		ValidatedAt: row.CreatedAt,
		UpdatedAt:   row.UpdatedAt,
		ByAgreement: row.ByAgreement,
		Votes:       FactVotes{URLType: VoteCount{row.URLTypeFor, row.URLTypeAgainst}},
		Users:       row.Users,
		Sessions:    row.Sessions,
	}
	for i, id := range row.AgencyIDs {
		fact.Agencies[i] = FactAgency{id, row.AgencyNames[i]}
		fact.Votes.Agency = &VoteCount{row.AgencyFor, row.AgencyAgainst}
	}
	for i, id := range row.LocationIDs {
		fact.Locations[i] = FactLocation{
			id, row.LocationTypes[i], row.LocationNames[i], row.LocationStates[i], row.LocationCounties[i],
		}
		fact.Votes.Location = &VoteCount{row.LocationFor, row.LocationAgainst}
	}
	if row.RecordType != "" {
		fact.RecordType = &row.RecordType
		fact.Votes.RecordType = &VoteCount{row.RecordTypeFor, row.RecordTypeAgainst}
	}
	if row.Name != nil {
		fact.Votes.Name = &VoteCount{row.NameFor, row.NameAgainst}
	}
	if row.RuleVersion != 0 {
		fact.Rule = &consensus.Rule{
			Version: row.RuleVersion, Threshold: row.Threshold, AnonymousWeight: row.AnonymousWeight,
		}
	}
	return fact
}
