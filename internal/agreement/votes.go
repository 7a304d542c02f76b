package agreement

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"docket/internal/consensus"
	"docket/internal/db"
)

// annotator is a user, or a session, whose user is 0.
type annotator struct {
	session uuid.UUID
	user    int32
}

func compareAnnotators(a, b annotator) int {
	return cmp.Or(bytes.Compare(a.session[:], b.session[:]), cmp.Compare(a.user, b.user)) // users first: their session is zero
}

// valueKey stands for a value: the value itself if it is short, with its length, or else a digest of it. So the texts of names take
// no memory.
type valueKey [17]byte

func keyOf(value []byte) (key valueKey) {
	if len(value) < len(key) {
		key[0] = byte(len(value))
		copy(key[1:], value)
		return key
	}
	key[0] = math.MaxUint8
	digest := sha256.Sum256(value)
	copy(key[1:], digest[:])
	return key
}

// vote is a row of AgreementVoteList with numbers for its annotator and value.
type vote struct{ url, annotator, value int32 }

// numbers gives out numbers from 0.
type numbers[Key comparable] map[Key]int32

func (n numbers[Key]) of(key Key) int32 {
	number, ok := n[key]
	if !ok {
		number = int32(len(n))
		n[key] = number
	}
	return number
}

// ranks returns the keys in order, and for each number the rank of its key: numbers are given out as rows arrive, which depends on
// the server, and ranks depend on the data only.
func (n numbers[Key]) ranks(compare func(a, b Key) int) (sorted []Key, ranks []int32) {
	sorted = make([]Key, 0, len(n))
	for key := range n {
		sorted = append(sorted, key)
	}
	slices.SortFunc(sorted, compare)
	ranks = make([]int32, len(n))
	for rank, key := range sorted {
		ranks[n[key]] = int32(rank)
	}
	return sorted, ranks
}

// votes are the votes about one attribute.
type votes struct {
	table    Table
	users    []int32 // the ids of the raters of the table
	sessions int
	urls     int // with the answers of two or more annotators
}

// loadVotes reads the votes about an attribute, of all URLs or of a batch. What an annotator voted for is one nominal value: the
// set of the values. A user is a rater of the table; sessions are unknown raters.
func loadVotes(ctx context.Context, tx pgx.Tx, attribute consensus.Attribute, batchID *int32) (*votes, error) {
	rows, err := readVotes(ctx, tx, attribute, batchID)
	if err != nil {
		return nil, fmt.Errorf("read votes about %s: %w", attribute, err)
	}
	loaded := &votes{}
	for _, a := range rows.annotators {
		if a.session == uuid.Nil {
			loaded.users = append(loaded.users, a.user)
		}
	}
	loaded.sessions = len(rows.annotators) - len(loaded.users)
	loaded.fill(rows.votes)
	return loaded, nil
}

// readRows are votes by URL, annotator and value, and the annotators by number.
type readRows struct {
	votes      []vote
	annotators []annotator
}

func readVotes(ctx context.Context, tx pgx.Tx, attribute consensus.Attribute, batchID *int32) (read readRows, err error) {
	query, arguments := db.AgreementVoteList, []any{string(attribute)}
	if batchID != nil {
		query, arguments = db.AgreementBatchVoteList, append(arguments, *batchID)
	}
	rows, err := tx.Query(ctx, query, arguments...)
	if err != nil {
		return read, err
	}
	annotators, values := numbers[annotator]{}, numbers[valueKey]{}
	var (
		url   int32
		by    annotator
		value pgtype.DriverBytes // valid until the next row
	)
	_, err = pgx.ForEachRow(rows, []any{&url, &by.user, (*[16]byte)(&by.session), &value}, func() error {
		read.votes = append(read.votes, vote{url, annotators.of(by), values.of(keyOf(value))})
		return nil
	})
	if err != nil {
		return read, err
	}
	_, valueRanks := values.ranks(func(a, b valueKey) int { return bytes.Compare(a[:], b[:]) })
	sorted, annotatorRanks := annotators.ranks(compareAnnotators)
	read.annotators = sorted
	for i := range read.votes {
		v := &read.votes[i]
		v.annotator, v.value = annotatorRanks[v.annotator], valueRanks[v.value]
	}
	slices.SortFunc(read.votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.annotator, b.annotator), cmp.Compare(a.value, b.value))
	})
	return read, nil
}

// fill makes the table of votes that are in order. Sets of several values get the categories after the single values.
func (v *votes) fill(all []vote) {
	singles := int32(0)
	for _, one := range all {
		singles = max(singles, one.value+1)
	}
	sets := numbers[string]{}
	v.table.ratings = make([]Rating, 0, len(all))
	var unit []Rating
	var key []byte
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].url == all[i].url && all[end].annotator == all[i].annotator {
			end++
		}
		category := all[i].value
		if end > i+1 {
			key = key[:0]
			for _, one := range all[i:end] {
				key = binary.BigEndian.AppendUint32(key, uint32(one.value))
			}
			category = singles + sets.of(string(key))
		}
		rater := all[i].annotator
		if int(rater) >= len(v.users) {
			rater = Unknown
		}
		unit = append(unit, Rating{rater, category})
		if end == len(all) || all[end].url != all[i].url {
			v.table.Add(unit...)
			if len(unit) > 1 {
				v.urls++
			}
			unit = unit[:0]
		}
		i = end
	}
}
