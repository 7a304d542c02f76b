package api

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"docket/internal/contract"
)

// secretText matches what no log line may contain: the id of a session in every spelling, also a malformed one, and tokens. An id
// is matched by its digits, at least half of them, so that one which was cut off is matched too.
var secretText = regexp.MustCompile(`(?i)[0-9a-f](?:(?:[-_ \x{2010}-\x{2015}]|%2d|%20)?[0-9a-f]){15,}|\beyJ[\w-]*(?:\.[\w-]*)*|\bbearer +[^\s"']+`)

// redact returns a text without secrets.
func redact(text string) string {
	return secretText.ReplaceAllStringFunc(text, func(secret string) string {
		if _, err := strconv.ParseInt(secret, 10, 64); err == nil {
			return secret // a large number
		}
		return "[removed]"
	})
}

// carriesSecret reports whether the URL of a request contains the id of a session or a token, in the query or, by mistake, in the
// path. It reads the URL as it was sent: the contract's check drops parameters that it does not describe.
func carriesSecret(r *http.Request) bool {
	return secretText.MatchString(contract.Unescape(r.RequestURI))
}

// repeatsSecret reports whether a text that will be logged is a part of the URL or of the token of its request, or contains a secret
// of them.
func repeatsSecret(text string, r *http.Request) bool {
	const shortest = 16 // of a part from which the rest can be guessed
	text = digits(text)
	if len(text) < shortest {
		return false
	}
	sent := contract.Unescape(r.RequestURI) + "/" + r.Header.Get("Authorization")
	for _, secret := range secretText.FindAllString(sent, -1) {
		if strings.Contains(text, digits(secret)) {
			return true
		}
	}
	return strings.Contains(digits(sent), text)
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
