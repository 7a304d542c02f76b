package export

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
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
	Since *time.Time // only facts that may have changed then or later
	Type  *string    // only URLs validated as this type, which must be one

	// Progress, unless nil, is called from time to time with the number of facts read and the number of all facts.
	Progress func(done, total int64)
}

// validatedURLs are the URLs that have a fact.
var validatedURLs = urls{
	count: queries.ValidatedURLCountAll,
	next: func(ctx context.Context, conn db.DBTX, after, most int32) (window, error) {
		row, err := queries.ValidatedURLWindowGet(ctx, conn, db.ValidatedURLWindowGetParams{AfterID: after, Most: most})
		return window(row), err
	},
}

// Facts returns the facts as of the snapshot at the start of the iteration, by URL. An error is the last thing that it yields; the
// export is then incomplete. An iteration holds a connection until it ends. ErrBusy is returned before another export of facts has
// the last slot, which is for exports of annotations.
func (s *Service) Facts(ctx context.Context, o FactOptions) iter.Seq2[Fact, error] {
	return sequence("export facts", func(emit func(Fact) error) error {
		return s.inSnapshot(ctx, []slots{s.factSlots, s.slots}, func(tx pgx.Tx) error {
			return readWindows(ctx, tx, validatedURLs, o.Progress, func(first, last int32) error {
				rows, err := readFacts(ctx, tx, db.ExportFactListWindowParams{
					FirstURLID: first, LastURLID: last, Type: (*db.URLType)(o.Type), Since: o.Since, Most: windowURLs,
				})
				if err != nil {
					return fmt.Errorf("read facts: %w", err)
				}
				for _, row := range rows {
					if err := emit(factFrom(row)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

func readFacts(
	ctx context.Context, tx pgx.Tx, params db.ExportFactListWindowParams,
) ([]db.ExportFactListWindowRow, error) {
	defer phase.Start(ctx, phase.Export)()
	return queries.ExportFactListWindow(ctx, tx, params)
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
