package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MinKeyBytes is the minimum length of a key: RFC 7518, section 3.2, requires for HS256 at least the 32 bytes of its hash.
const MinKeyBytes = 32

// maxTokenBytes limits the work that an unauthenticated client can cause.
const maxTokenBytes = 8 << 10

func checkKey(key []byte) error {
	if len(key) < MinKeyBytes {
		return fmt.Errorf("token key has %d bytes, at least %d are required (for example: openssl rand -hex 32)", len(key), MinKeyBytes)
	}
	return nil
}

// claims are the claims of a token that Docket reads.
type claims struct {
	jwt.RegisteredClaims
	Permissions permissionNames `json:"permissions"`
	Audience    json.RawMessage `json:"aud,omitempty"`
}

// permissionNames is the claim with the names of permissions. It is empty when a token has no such claim.
type permissionNames []string

// UnmarshalJSON refuses everything that is not a list of texts, null included.
func (names *permissionNames) UnmarshalJSON(data []byte) error {
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if list == nil {
		return errors.New("permissions is null, not a list")
	}
	*names = list
	return nil
}

// Verifier checks tokens against one key.
type Verifier struct {
	key    []byte
	parser *jwt.Parser
}

// NewVerifier returns a verifier that reads the time from clock. A key shorter than MinKeyBytes is refused.
func NewVerifier(key []byte, clock func() time.Time) (*Verifier, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return &Verifier{
		key: slices.Clone(key),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithTimeFunc(clock),
			jwt.WithIssuedAt(),
		),
	}, nil
}

// Authenticate verifies the value of an Authorization header. Errors: ErrNotAuthenticated when it is not a bearer token,
// ErrInvalidToken when the token is invalid.
func (v *Verifier) Authenticate(header string) (User, error) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return User{}, ErrNotAuthenticated
	}
	return v.Verify(token)
}

// Verify returns the user of a token. The error of every invalid token is ErrInvalidToken, which wraps the reason.
func (v *Verifier) Verify(token string) (User, error) {
	user, err := v.verify(token)
	if err != nil {
		return User{}, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return user, nil
}

func (v *Verifier) verify(token string) (User, error) {
	if len(token) > maxTokenBytes {
		return User{}, fmt.Errorf("token has %d bytes", len(token))
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.keyFor); err != nil {
		return User{}, err
	}
	if c.Audience != nil {
		return User{}, errors.New("token is for an audience, and Docket has none")
	}
	id, err := strconv.ParseInt(c.Subject, 10, 32)
	if err != nil {
		return User{}, errors.New("subject is not a user id")
	}
	user := User{UserID: int32(id)}
	for _, known := range Permissions() {
		if slices.Contains(c.Permissions, string(known)) {
			user.Permissions = append(user.Permissions, known)
		}
	}
	return user, nil
}

func (v *Verifier) keyFor(token *jwt.Token) (any, error) {
	// RFC 7515, section 4.1.11: a token with a critical extension that is not understood is invalid.
	if _, ok := token.Header["crit"]; ok {
		return nil, errors.New("token has critical extensions")
	}
	return v.key, nil
}

// Issue returns a token for the user that is valid from now for ttl, or without an end when ttl is 0.
func Issue(key []byte, user int32, permissions []Permission, ttl time.Duration, now time.Time) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if ttl < 0 {
		return "", fmt.Errorf("time to live is %v, it must not be negative", ttl)
	}
	names := make(permissionNames, 0, len(permissions)) // an empty list, not null: a token with null is invalid
	for _, p := range permissions {
		if !slices.Contains(Permissions(), p) {
			return "", fmt.Errorf("unknown permission %q, known are %q", p, Permissions())
		}
		names = append(names, string(p))
	}
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:  strconv.FormatInt(int64(user), 10),
			IssuedAt: jwt.NewNumericDate(now),
		},
		Permissions: names,
	}
	if ttl > 0 {
		c.ExpiresAt = jwt.NewNumericDate(now.Add(ttl))
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
