package docket_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// number returns the value of a printed number.
func number(t *testing.T, printed string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(strings.ReplaceAll(printed, ",", ""), 64)
	require.NoError(t, err)
	return value
}

// The arithmetic of docs/scaling.md follows from what was measured.
func TestScalingArithmetic(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("docs/scaling.md")
	require.NoError(t, err)
	page := string(data)
	const measuredURLs, answers, urls, annotators, day, mostDead = 100_000, 6_114, 100_000_000, 1_000, 24 * 3600, 0.02
	each := map[string]float64{}
	for title, cells := range rows(t, page, "measured at 100,000 URLs") {
		if strings.HasPrefix(title, "---") || title == "bytes or number" {
			continue
		}
		of := map[string]float64{"URL": measuredURLs, "answer": answers}[cells[1]]
		require.NotZero(t, of, title)
		each[title] = number(t, cells[0]) / of
		requireRounded(t, cells[2], each[title], title)
	}
	log := each["write-ahead log of 6,114 answers, each with the choice of the next URL"]
	updates := each["updates of the queue, none of them HOT"]
	require.NotZero(t, log)
	require.NotZero(t, updates)
	table := rows(t, page, "1,000 annotators, 100,000,000 URLs")
	for column, seconds := range []float64{30, 10} {
		rate := annotators / seconds
		for title, exact := range map[string]float64{
			"answers a second":                  rate,
			"GB of write-ahead log in 24 hours": rate * log * day / 1e9,
			"dead rows of the queue a second":   rate * updates,
			"hours from one vacuum of the queue to the next, at 2 % of 100,000,000 rows": urls * mostDead / (rate * updates) / 3600,
			"GB of disk":                       urls * each["the whole database"] / 1e9,
			"GB of the queue with its indexes": urls * each["`annotation_queue`, with indexes"] / 1e9,
			"GB of the key of `urls`, which imports and submissions search": urls * each["`urls_url_key`"] / 1e9,
		} {
			require.Contains(t, table, title)
			requireRounded(t, table[title][column], exact, title)
		}
	}
}
