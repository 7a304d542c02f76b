package export_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/export"
)

// voters has two lines for each of the users 1 to 500. The time of a line encodes the user.
const voters = `
	INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual'), (2, 'two.org', 'manual');
	INSERT INTO annotation__url_type__user (url_id, user_id, type, created_at)
		SELECT 1 + (n % 10) / 9, n, 'meta url', '2026-01-01'::timestamp + n * '1 second'::interval FROM generate_series(1, 500) AS n;
	INSERT INTO annotation__record_type__user (url_id, user_id, record_type, created_at)
		SELECT 2, n, 'Stops', '2026-01-01'::timestamp + n * '1 second'::interval FROM generate_series(1, 500) AS n`

// pseudonymsOf returns the pseudonym of each user of voters, after checking that each user has one and no two share one.
func pseudonymsOf(t *testing.T, lines []export.Line) map[int]string {
	of := map[int]string{}
	users := map[string]int{}
	for _, line := range lines {
		user := line.CreatedAt.Minute()*60 + line.CreatedAt.Second()
		require.Equal(t, line.User, cmp.Or(of[user], line.User), "one pseudonym for each user")
		require.Equal(t, user, cmp.Or(users[line.User], user), "one user for each pseudonym")
		of[user], users[line.User] = line.User, user
	}
	require.Len(t, of, 500)
	return of
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, voters)
	lines := collect(t, service, export.Options{Pseudonymous: true})
	pseudonyms := pseudonymsOf(t, lines)
	for user, pseudonym := range pseudonyms {
		require.Regexp(t, `^user-[a-z2-7]{16}$`, pseudonym)
		require.NotContains(t, guesses(strconv.Itoa(user)), pseudonym)
	}

	again := pseudonymsOf(t, collect(t, export.New(pool, tokenKey), export.Options{Pseudonymous: true}))
	require.Equal(t, pseudonyms, again, "the same key, the same pseudonyms")
	_, elsewhere := setup(t, voters)
	require.Equal(t, pseudonyms, pseudonymsOf(t, collect(t, elsewhere, export.Options{Pseudonymous: true})))

	other := pseudonymsOf(t, collect(t, export.New(pool, append([]byte("x"), tokenKey...)), export.Options{Pseudonymous: true}))
	for user, pseudonym := range pseudonyms {
		require.NotEqual(t, pseudonym, other[user], "another key, another pseudonym")
	}

	for _, err := range export.New(pool, nil).Lines(t.Context(), export.Options{Pseudonymous: true}) {
		require.Error(t, err, "no pseudonyms without a key")
	}
}

// guesses are pseudonyms that a reader without the derived key could compute of an id, even with the key of the tokens.
func guesses(id string) (list []string) {
	plain := sha256.Sum256([]byte(id))
	keyed := hmac.New(sha256.New, tokenKey)
	keyed.Write([]byte(id))
	for _, digest := range [][]byte{plain[:], keyed.Sum(nil)} {
		list = append(list, "user-"+strings.ToLower(base32.StdEncoding.EncodeToString(digest[:10])))
	}
	return list
}

// The order of the lines is that of the pseudonyms, which does not reveal the order of the ids.
func TestPseudonymsHideTheOrder(t *testing.T) {
	t.Parallel()
	_, service := setup(t, voters)
	lines := collect(t, service, export.Options{Pseudonymous: true})
	require.True(t, slices.IsSortedFunc(lines, func(a, b export.Line) int {
		return cmp.Or(cmp.Compare(a.URLID, b.URLID), cmp.Compare(a.User, b.User), cmp.Compare(a.Attribute, b.Attribute))
	}))
	pseudonyms := pseudonymsOf(t, lines)
	rising := 0
	for user := 1; user < 500; user++ {
		if pseudonyms[user] < pseudonyms[user+1] {
			rising++
		}
	}
	require.InDelta(t, 250, rising, 60)
}

// A pseudonymous export differs from a plain one in the pseudonyms of users only.
func TestPseudonymsChangeNothingElse(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	users := map[string]string{}
	var renamed []string
	for _, line := range collect(t, service, export.Options{Pseudonymous: true}) {
		if strings.HasPrefix(line.User, "user-") {
			users[line.User] = ""
			line.User = "user"
		}
		renamed = append(renamed, text(line))
	}
	require.Len(t, users, 3)
	var plain []string
	for _, line := range collect(t, service, export.Options{}) {
		if !strings.HasPrefix(line.User, "anonymous-") {
			line.User = "user"
		}
		plain = append(plain, text(line))
	}
	require.ElementsMatch(t, plain, renamed)
}

// No export contains the id of a session: a client that knows it can annotate as the session.
func TestSessionsAreNeverNamed(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	for _, o := range []export.Options{{}, {Pseudonymous: true}} {
		for _, line := range collect(t, service, o) {
			require.NotContains(t, line.User, "5e551011")
			require.NotContains(t, line.User, "00000000")
		}
	}
}
