package auth

import (
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

// DefaultLeeway and MaxLeeway bound how far the clocks of the issuer and of Docket may differ (RFC 7519, section 4.1.4). A longer
// leeway would only keep expired tokens valid.
const (
	DefaultLeeway = time.Minute
	MaxLeeway     = 5 * time.Minute
)

// Verifier checks tokens against the keys of their issuers.
type Verifier struct {
	key    []byte
	keys   *KeySet // nil when there is only the key
	parser *jwt.Parser
}

// NewVerifier returns a verifier that reads the time from clock. A token is valid from leeway before its nbf and iat, until leeway
// after its exp. A token with the issuer of keys, which may be nil, must have an exp and is valid only when it is signed with one
// of these, by RS256 or ES256. All others are valid only when they are signed with key, by HS256. A key shorter than MinKeyBytes
// and a leeway that is not from 0 to MaxLeeway are refused.
func NewVerifier(key []byte, keys *KeySet, leeway time.Duration, clock func() time.Time) (*Verifier, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := CheckLeeway(leeway); err != nil {
		return nil, err
	}
	return &Verifier{
		key:  slices.Clone(key),
		keys: keys,
		parser: jwt.NewParser(
			jwt.WithValidMethods(append([]string{jwt.SigningMethodHS256.Alg()}, keySetMethods...)),
			jwt.WithTimeFunc(clock),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway),
		),
	}, nil
}

// CheckLeeway returns an error unless a verifier can have the leeway.
func CheckLeeway(leeway time.Duration) error {
	if leeway < 0 || leeway > MaxLeeway {
		return fmt.Errorf("%s is not from 0s to %s", leeway, MaxLeeway)
	}
	return nil
}

// Authenticate verifies the value of an Authorization header. Errors: ErrNotAuthenticated when it is not a bearer token,
// ErrInvalidToken when the token is invalid, ErrKeysUnavailable when that cannot be determined now.
func (v *Verifier) Authenticate(header string) (User, error) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return User{}, ErrNotAuthenticated
	}
	return v.Verify(token)
}

// Verify returns the user of a token. The error of every invalid token is ErrInvalidToken, which wraps the reason. The other error
// is ErrKeysUnavailable.
func (v *Verifier) Verify(token string) (User, error) {
	user, err := v.verify(token)
	if errors.Is(err, ErrKeysUnavailable) {
		return User{}, ErrKeysUnavailable
	}
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
	if c.userID == 0 { // the claims are null: nothing was read
		return User{}, errors.New("the claims are not a JSON object")
	}
	user := User{UserID: c.userID}
	for _, known := range Permissions() {
		if slices.Contains(c.permissions, string(known)) {
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
	c, ok := token.Claims.(*claims)
	if !ok {
		return nil, errors.New("the claims were not read")
	}
	// The claims are not verified yet. Whatever issuer they name, only its own keys and algorithms can verify them.
	method := token.Method.Alg()
	if v.keys == nil || c.issuer != v.keys.Issuer {
		if method != jwt.SigningMethodHS256.Alg() {
			return nil, fmt.Errorf("%s is not the algorithm of this issuer", method)
		}
		if c.hasAudience {
			return nil, errors.New("the token is for an audience, and Docket has none")
		}
		return v.key, nil
	}
	if err := v.keys.check(c, method); err != nil {
		return nil, err
	}
	id, ok := token.Header["kid"].(string)
	if !ok || id == "" {
		return nil, errors.New("the token does not name its key")
	}
	return v.keys.key(keyName{id, method})
}

// Issue returns a token for the user, whose id must be positive, that is valid from now for ttl, or without an end when ttl is 0.
func Issue(key []byte, user int32, permissions []Permission, ttl time.Duration, now time.Time) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if user < 1 {
		return "", fmt.Errorf("user id is %d, it must be positive", user)
	}
	if ttl < 0 {
		return "", fmt.Errorf("time to live is %v, it must not be negative", ttl)
	}
	names := make([]string, 0, len(permissions)) // an empty list, not null: a token with null is invalid
	for _, p := range permissions {
		if !slices.Contains(Permissions(), p) {
			return "", fmt.Errorf("unknown permission %q, known are %q", p, Permissions())
		}
		names = append(names, string(p))
	}
	set := jwt.MapClaims{
		"sub":         strconv.FormatInt(int64(user), 10),
		"iat":         jwt.NewNumericDate(now),
		"permissions": names,
	}
	if ttl > 0 {
		set["exp"] = jwt.NewNumericDate(now.Add(ttl))
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, set).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
