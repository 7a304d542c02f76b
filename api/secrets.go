package api

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"docket/internal/contract"
)

// secretText matches what no log line may contain: the id of a session in every spelling, also a malformed one, and tokens. The
// groups of digits of an id may have any separator; isSecret counts the digits. The last form is how Go prints the bytes of an id.
var secretText = regexp.MustCompile(`(?i)[0-9a-f]{4,}(?:(?:[-_ \x{2010}-\x{2015}]|%2d|%20)[0-9a-f]{4,})*` +
	`|\beyJ[\w-]*(?:\.[\w-]*)*|\bbearer +[^\s"']+|\[(?:\d{1,3} ){15}\d{1,3}\]`)

// secretDigits is how many digits of an id, which has 32, make a text a secret: the rest of one that was cut off could be guessed.
const secretDigits = 16

// isSecret reports whether a match of secretText is more than a number or a word of some letters from a to f.
func isSecret(match string) bool {
	lower := strings.ToLower(match)
	if lower[0] == '[' || strings.HasPrefix(lower, "eyj") || strings.HasPrefix(lower, "bearer") {
		return true
	}
	if _, err := strconv.ParseInt(match, 10, 64); err == nil {
		return false
	}
	return len(digits(match)) >= secretDigits
}

// redact returns a text without secrets.
func redact(text string) string {
	return secretText.ReplaceAllStringFunc(text, func(match string) string {
		if isSecret(match) {
			return "[removed]"
		}
		return match
	})
}

// secretsIn returns the secrets in a text.
func secretsIn(text string) []string {
	return slices.DeleteFunc(secretText.FindAllString(text, -1), func(match string) bool { return !isSecret(match) })
}

// carriesSecret reports whether the URL of a request contains the id of a session or a token, in the query or, by mistake, in the
// path. It reads the URL as it was sent: the contract's check drops parameters that it does not describe.
func carriesSecret(r *http.Request) bool { return len(secretsIn(contract.Unescape(r.RequestURI))) > 0 }

// repeatsSecret reports whether a text that will be logged is a part of the URL or of the token of its request, or contains a secret
// of them.
func repeatsSecret(text string, r *http.Request) bool {
	text = digits(text)
	if len(text) < secretDigits {
		return false
	}
	sent := contract.Unescape(r.RequestURI) + "/" + r.Header.Get("Authorization")
	return strings.Contains(digits(sent), text) ||
		slices.ContainsFunc(secretsIn(sent), func(secret string) bool { return strings.Contains(text, digits(secret)) })
}

// digits returns the letters and digits of a text, in lower case.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(text))
}
