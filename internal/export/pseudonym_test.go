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

// voters makes users 1 to 500 say something of one URL, and every tenth of another.
const voters = `
	INSERT INTO urls (id, url, status, source) VALUES (1, 'one.org', 'ok', 'manual'), (2, 'two.org', 'ok', 'manual');
	INSERT INTO user_url_type_suggestions (url_id, user_id, type, created_at)
		SELECT 1 + (n % 10) / 9, n, 'meta url', '2026-01-01'::timestamp + n * '1 second'::interval FROM generate_series(1, 500) AS n;
	INSERT INTO user_record_type_suggestions (url_id, user_id, record_type, created_at)
		SELECT 2, n, 'Stops', '2026-01-01'::timestamp + n * '1 second'::interval FROM generate_series(1, 500) AS n`

// pseudonymsOf returns the pseudonym of each user, whom the times of voters tell, having seen that there is one for each.
func pseudonymsOf(t *testing.T, answers []export.Answer) map[int]string {
	of := map[int]string{}
	users := map[string]int{}
	for _, answer := range answers {
		user := answer.CreatedAt.Minute()*60 + answer.CreatedAt.Second()
		require.Equal(t, answer.User, cmp.Or(of[user], answer.User), "one pseudonym for each user")
		require.Equal(t, user, cmp.Or(users[answer.User], user), "one user for each pseudonym")
		of[user], users[answer.User] = answer.User, user
	}
	require.Len(t, of, 500)
	return of
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, voters)
	answers := collect(t, service, export.Options{Pseudonymous: true})
	pseudonyms := pseudonymsOf(t, answers)
	for user, pseudonym := range pseudonyms {
		require.Regexp(t, `^user-[a-z2-7]{16}$`, pseudonym)
		require.NotContains(t, guesses(strconv.Itoa(user)), pseudonym)
	}

	again := pseudonymsOf(t, collect(t, export.New(pool, tokenKey), export.Options{Pseudonymous: true}))
	require.Equal(t, pseudonyms, again, "the key says it all")
	_, elsewhere := setup(t, voters)
	require.Equal(t, pseudonyms, pseudonymsOf(t, collect(t, elsewhere, export.Options{Pseudonymous: true})))

	other := pseudonymsOf(t, collect(t, export.New(pool, append([]byte("x"), tokenKey...)), export.Options{Pseudonymous: true}))
	for user, pseudonym := range pseudonyms {
		require.NotEqual(t, pseudonym, other[user], "another key, another pseudonym")
	}

	for _, err := range export.New(pool, nil).Answers(t.Context(), export.Options{Pseudonymous: true}) {
		require.Error(t, err, "no pseudonyms without a key")
	}
}

// guesses are what somebody without the derived key could compute of an id, even with the key of the tokens in hand.
func guesses(id string) (list []string) {
	plain := sha256.Sum256([]byte(id))
	keyed := hmac.New(sha256.New, tokenKey)
	keyed.Write([]byte(id))
	for _, digest := range [][]byte{plain[:], keyed.Sum(nil)} {
		list = append(list, "user-"+strings.ToLower(base32.StdEncoding.EncodeToString(digest[:10])))
	}
	return list
}

// The order of the lines says nothing of the ids: it is that of the pseudonyms, which is another.
func TestPseudonymsHideTheOrder(t *testing.T) {
	t.Parallel()
	_, service := setup(t, voters)
	answers := collect(t, service, export.Options{Pseudonymous: true})
	require.True(t, slices.IsSortedFunc(answers, func(a, b export.Answer) int {
		return cmp.Or(cmp.Compare(a.URLID, b.URLID), cmp.Compare(a.User, b.User), cmp.Compare(a.Attribute, b.Attribute))
	}))
	pseudonyms := pseudonymsOf(t, answers)
	rising := 0
	for user := 1; user < 500; user++ {
		if pseudonyms[user] < pseudonyms[user+1] {
			rising++
		}
	}
	require.InDelta(t, 250, rising, 60)
}

// Pseudonyms are all that is different.
func TestPseudonymsChangeNothingElse(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	users := map[string]string{}
	var renamed []string
	for _, answer := range collect(t, service, export.Options{Pseudonymous: true}) {
		if strings.HasPrefix(answer.User, "user-") {
			users[answer.User] = ""
			answer.User = "user"
		}
		renamed = append(renamed, line(answer))
	}
	require.Len(t, users, 3)
	var plain []string
	for _, answer := range collect(t, service, export.Options{}) {
		if !strings.HasPrefix(answer.User, "anonymous-") {
			answer.User = "user"
		}
		plain = append(plain, line(answer))
	}
	require.ElementsMatch(t, plain, renamed)
}

// Whoever has the id of a session may answer in its place, so that no export has it.
func TestSessionsAreNeverNamed(t *testing.T) {
	t.Parallel()
	_, service := setup(t, everyKind)
	for _, o := range []export.Options{{}, {Pseudonymous: true}} {
		for _, answer := range collect(t, service, o) {
			require.NotContains(t, answer.User, "5e551011")
			require.NotContains(t, answer.User, "00000000")
		}
	}
}
