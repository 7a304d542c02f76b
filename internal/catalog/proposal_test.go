package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/catalog"
	"docket/internal/dbtest"
)

// A proposedAgency has the location of the bundle.
func proposedAgency(name string) catalog.NewAgency {
	return catalog.NewAgency{Name: name, Type: "court", JurisdictionType: "state", LocationIDs: []int64{1}}
}

func (b bundle) propose(t *testing.T, name string) int32 {
	t.Helper()
	result, err := b.service.ProposeAgency(t.Context(), 7, proposedAgency(name))
	require.NoError(t, err)
	require.Equal(t, catalog.Proposed, result.Outcome)
	return *result.ID
}

// Of several concurrent proposals that are equal, however they are spelled, one is stored.
func TestSameProposalAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spellings := []string{"Court %d", " court %d", "COURT  %d", "Court\t%d ", "Court\u00a0%d", "court %d"}
	for round := range 20 {
		var stored atomic.Int32
		require.NoError(t, dbtest.Together(len(spellings), func(i int) error {
			result, err := b.service.ProposeAgency(t.Context(), int32(i), proposedAgency(fmt.Sprintf(spellings[i], round)))
			switch {
			case err != nil:
				return err
			case result.Outcome == catalog.Proposed && result.ID != nil:
				stored.Add(1)
			case result != catalog.ProposalResult{Outcome: catalog.AlreadyProposed}:
				return fmt.Errorf("proposal: %+v", result)
			}
			return nil
		}))
		require.EqualValues(t, 1, stored.Load())
		require.Equal(t, round+1, b.count(t, "SELECT count(*) FROM proposal__agencies"))
		require.Equal(t, round+1, b.count(t, "SELECT count(*) FROM proposal__link__agencies__locations"))
	}
}

// Proposals of different names do not wait for each other.
func TestOtherProposalDoesNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	holder, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = holder.Rollback(t.Context()) }()
	_, err = holder.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('docket proposal court a', 0))")
	require.NoError(t, err)

	b.propose(t, "Court B")
	ended := make(chan error, 1)
	go func() {
		_, err := b.service.ProposeAgency(t.Context(), 7, proposedAgency(" COURT  A"))
		ended <- err
	}()
	dbtest.WaitForLocks(t, b.pool, 1)
	require.NoError(t, holder.Commit(t.Context()))
	require.NoError(t, <-ended)
}

// Of several concurrent decisions about a proposal, one counts: an approval creates one agency, a rejection none.
func TestDecisionsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	approvals, rejections := 0, 0
	for round := range 40 {
		id := b.propose(t, fmt.Sprintf("Court %d", round))
		before := b.count(t, "SELECT count(*) FROM agencies")
		order := rand.Perm(4)
		var decided atomic.Int32
		agencies := make(chan int32, 4)
		require.NoError(t, dbtest.Together(4, func(i int) error {
			if order[i]%2 == 0 {
				agencyID, decision, err := b.service.ApproveProposal(t.Context(), int32(100+i), id)
				switch {
				case err != nil:
					return err
				case decision == catalog.Decided:
					decided.Add(1)
					agencies <- *agencyID
				case decision != catalog.NotPending || agencyID != nil:
					return fmt.Errorf("approval: %v, agency %v", decision, agencyID)
				}
				return nil
			}
			decision, err := b.service.RejectProposal(t.Context(), int32(100+i), id, "no")
			switch {
			case err != nil:
				return err
			case decision == catalog.Decided:
				decided.Add(1)
			case decision != catalog.NotPending:
				return fmt.Errorf("rejection: %v", decision)
			}
			return nil
		}))
		close(agencies)
		require.EqualValues(t, 1, decided.Load())
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM proposal__agencies__decision_info WHERE proposal_agency_id = $1", id))
		created := b.count(t, "SELECT count(*) FROM agencies") - before
		if agencyID, approved := <-agencies; approved {
			approvals++
			require.Equal(t, 1, created)
			require.Equal(t, 1, b.count(t, `SELECT count(*) FROM proposal__agencies
				WHERE id = $1 AND proposal_status = 'approved' AND promoted_agency_id = $2`, id, agencyID))
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM link_agencies__locations WHERE agency_id = $1", agencyID))
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM change_log WHERE affected_id = $1", agencyID))
		} else {
			rejections++
			require.Zero(t, created)
			require.Equal(t, 1, b.count(t, `SELECT count(*) FROM proposal__agencies
				WHERE id = $1 AND proposal_status = 'rejected' AND promoted_agency_id IS NULL`, id))
		}
	}
	require.Positive(t, approvals)
	require.Positive(t, rejections)
}

// A proposal that equals one which is being approved is a duplicate of the proposal or of the agency, never of neither.
func TestProposeDuringApproval(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for round := range 40 {
		name := fmt.Sprintf("Court %d", round)
		id := b.propose(t, name)
		require.NoError(t, dbtest.Together(4, func(i int) error {
			if i == 0 {
				_, _, err := b.service.ApproveProposal(t.Context(), 7, id)
				return err
			}
			result, err := b.service.ProposeAgency(t.Context(), 8, proposedAgency(name))
			if err == nil && result.Outcome == catalog.Proposed {
				err = fmt.Errorf("stored as proposal %d", *result.ID)
			}
			return err
		}))
	}
	require.Equal(t, 40, b.count(t, "SELECT count(*) FROM proposal__agencies"))
}

// A decision waits for a change of the proposal, and sees it.
func TestApprovalWaitsForAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.propose(t, "Court")
	changing, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = changing.Rollback(t.Context()) }()
	_, err = changing.Exec(t.Context(), "UPDATE proposal__agencies SET name = 'Changed' WHERE id = $1", id)
	require.NoError(t, err)
	_, err = changing.Exec(t.Context(), "DELETE FROM proposal__link__agencies__locations WHERE proposal_agency_id = $1", id)
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() {
		_, _, err := b.service.ApproveProposal(t.Context(), 7, id)
		ended <- err
	}()
	dbtest.WaitForLocks(t, b.pool, 1)
	require.NoError(t, changing.Commit(t.Context()))
	require.NoError(t, <-ended)
	require.Equal(t, 1, b.count(t, `SELECT count(*) FROM proposal__agencies p JOIN agencies a ON a.id = p.promoted_agency_id
		WHERE p.id = $1 AND a.name = 'Changed'`, id))
	require.Zero(t, b.count(t, "SELECT count(*) FROM link_agencies__locations"))
}

// Each name that is not refused can be stored: the indexes on names hold the longest, even one whose letters take more bytes in
// lower case and which cannot be compressed.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	change := func(id int32, name string) error {
		return b.service.ChangeAgency(t.Context(), id, catalog.AgencyChange{Name: &name})
	}
	for kind, letter := range map[string]func() rune{
		"letters of four bytes":       func() rune { return 0x20000 + rand.N[rune](0xa000) },
		"letters of three bytes":      func() rune { return 0x4e00 + rand.N[rune](0x5000) },
		"longer letters in lowercase": func() rune { return []rune("ȺȾ")[rand.N(2)] },
	} {
		var name strings.Builder
		for {
			next := letter()
			if name.Len()+len(string(next)) > 1800 {
				break
			}
			name.WriteRune(next)
		}
		longest := name.String() + strings.Repeat("x", 1800-name.Len())
		id := b.propose(t, longest)
		agencyID, decision, err := b.service.ApproveProposal(t.Context(), 7, id)
		require.NoError(t, err, kind)
		require.Equal(t, catalog.Decided, decision)
		require.NoError(t, change(*agencyID, "short"))
		require.NoError(t, change(*agencyID, longest), kind)
		require.NoError(t, b.service.ChangeProposal(t.Context(), id, catalog.AgencyChange{Name: &longest}))

		var refused *catalog.ValueError
		tooLong := longest + "x"
		_, err = b.service.AddAgency(t.Context(), proposedAgency(tooLong))
		require.ErrorAs(t, err, &refused)
		require.ErrorAs(t, change(*agencyID, tooLong), &refused)
		_, err = b.service.ProposeAgency(t.Context(), 7, proposedAgency(tooLong))
		require.ErrorAs(t, err, &refused)
		require.ErrorAs(t, b.service.ChangeProposal(t.Context(), id, catalog.AgencyChange{Name: &tooLong}), &refused)
	}
}
