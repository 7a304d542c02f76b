package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// claims are the claims of a token that Docket reads. It is a jwt.Claims.
type claims struct {
	issuer                         string // "" when the token has no such claim
	audience                       []string
	hasAudience                    bool
	userID                         int32
	permissions                    []string
	expiresAt, notBefore, issuedAt *jwt.NumericDate // nil when the token has no such claim
}

// UnmarshalJSON reads a claims set. Claim names are compared exactly, as RFC 7519 requires: encoding/json would also read "SUB" or
// "Exp" into the fields of a struct. A claims set that has a name two times is refused, because two readers could see two users in
// it. So is one with a claim of the wrong type, null included.
func (c *claims) UnmarshalJSON(data []byte) error {
	set, err := uniqueMembers(data)
	if err != nil {
		return err
	}
	if c.audience, c.hasAudience, err = readAudience(set["aud"]); err != nil {
		return err
	}
	if issuer, ok := set["iss"]; ok {
		if c.issuer, err = readText(issuer); err != nil {
			return fmt.Errorf("iss: %w", err)
		}
	}
	if c.userID, err = readSubject(set["sub"]); err != nil {
		return err
	}
	if c.permissions, err = readPermissions(set["permissions"]); err != nil {
		return err
	}
	for name, date := range map[string]**jwt.NumericDate{"exp": &c.expiresAt, "nbf": &c.notBefore, "iat": &c.issuedAt} {
		if *date, err = readDate(set[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// uniqueMembers returns the members of a JSON object by name.
func uniqueMembers(data []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("the claims are not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		text, ok := name.(string)
		if _, again := members[text]; again || !ok {
			return nil, errors.New("a claim is there two times")
		}
		members[text] = value
	}
	return members, nil
}

func readText(data json.RawMessage) (text string, err error) {
	if err := json.Unmarshal(data, &text); err != nil || data[0] != '"' {
		return "", errors.New("it is not a text")
	}
	return text, nil
}

// readAudience returns the texts of a claim aud, which is a text or a list, and whether the token has the claim.
func readAudience(data json.RawMessage) (audience []string, found bool, err error) {
	if len(data) == 0 {
		return nil, false, nil
	}
	if text, err := readText(data); err == nil {
		return []string{text}, true, nil
	}
	if audience, err = readTexts(data); err != nil {
		return nil, true, fmt.Errorf("aud: %w", err)
	}
	return audience, true, nil
}

// readSubject returns the user of a claim sub: a text with a positive int32, written as strconv does.
func readSubject(data json.RawMessage) (int32, error) {
	if len(data) == 0 {
		return 0, errors.New("the token has no sub")
	}
	text, err := readText(data)
	if err != nil {
		return 0, fmt.Errorf("sub: %w", err)
	}
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0, errors.New("sub is not the id of a user")
	}
	return int32(id), nil
}

// readPermissions returns the texts of a list, none for a claim that is not there.
func readPermissions(data json.RawMessage) ([]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	names, err := readTexts(data)
	if err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	return names, nil
}

func readTexts(data json.RawMessage) ([]string, error) {
	var names []*string
	if err := json.Unmarshal(data, &names); err != nil || data[0] != '[' {
		return nil, errors.New("it is not a list of texts")
	}
	texts := make([]string, len(names))
	for i, name := range names {
		if name == nil {
			return nil, errors.New("it is not a list of texts")
		}
		texts[i] = *name
	}
	return texts, nil
}

// maxDate is the last second that a date may name, far beyond any calendar: adding a leeway to it does not overflow.
const maxDate = 1 << 53

// readDate returns the time of a number of seconds since 1970, nil for a claim that is not there.
func readDate(data json.RawMessage) (*jwt.NumericDate, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if data[0] != '-' && (data[0] < '0' || data[0] > '9') {
		return nil, errors.New("it is not a number")
	}
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err != nil || math.Abs(seconds) > maxDate {
		return nil, errors.New("it is no date")
	}
	return jwt.NewNumericDate(time.Unix(int64(math.Floor(seconds)), 0)), nil
}

// The methods of jwt.Claims. The issuer chooses the key, and the verifier compares the audience; sub has been checked.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.expiresAt, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.notBefore, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.issuedAt, nil }
func (*claims) GetIssuer() (string, error)                     { return "", nil }
func (*claims) GetSubject() (string, error)                    { return "", nil }
func (*claims) GetAudience() (jwt.ClaimStrings, error)         { return nil, nil }
