package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// ErrKeysUnavailable means that a token cannot be verified now, because the keys of its issuer cannot be fetched. Clients see its
// text.
var ErrKeysUnavailable = errors.New("the keys of the issuer of the token are unavailable; send the request again")

const (
	// A key that its issuer has withdrawn is refused after keysFresh, when the issuer can be reached.
	keysFresh = 10 * time.Minute
	// Without the issuer, keys are used for keysKept. A longer time would keep withdrawn keys valid.
	keysKept = 24 * time.Hour
	// fetchInterval bounds the fetches that tokens with invented key ids cause.
	fetchInterval = 10 * time.Second
	// fetchTimeout bounds how long a request waits for a key that is not known yet.
	fetchTimeout = 3 * time.Second

	maxKeySetBytes = 1 << 20
	minRSABits     = 2048
)

// keySetMethods are the algorithms of tokens that a key set verifies. HS256 is none of them: a public key is not a secret.
var keySetMethods = []string{jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg()}

// KeySet has the public keys of one issuer, which are fetched from a JWKS endpoint (RFC 7517) when tokens need them.
type KeySet struct {
	// Issuer is the claim iss of the tokens that these keys verify, and no other key.
	Issuer string
	// Audience must be in the claim aud of these tokens. When it is "", they must have no such claim.
	Audience string

	url    string
	client *http.Client
	clock  func() time.Time
	report func(error)

	current atomic.Pointer[fetchedKeys] // nil before the first success
	mu      sync.Mutex                  // guards what follows
	tried   time.Time                   // when the last fetch began
	failed  bool                        // whether the last fetch failed
	flight  chan struct{}               // closed when the fetch in progress ends; nil when there is none
}

type fetchedKeys struct {
	at   time.Time
	keys map[keyName]any
}

// keyName is what a token says about its key. A key is used with one algorithm only.
type keyName struct{ id, method string }

// NewKeySet returns the keys at an address, of which none is fetched yet. Each fetch that fails is passed to report.
func NewKeySet(address, issuer, audience string, clock func() time.Time, report func(error)) (*KeySet, error) {
	if err := CheckKeySetURL(address); err != nil {
		return nil, err
	}
	if issuer == "" {
		return nil, errors.New("the issuer of the tokens is not named")
	}
	return &KeySet{
		Issuer: issuer, Audience: audience, url: address, clock: clock, report: report,
		client: &http.Client{
			Timeout: fetchTimeout,
			// A redirection could lead to a server without TLS.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// CheckKeySetURL refuses addresses whose keys others could replace, and those with a password, which would be in error messages.
// The errors do not contain the address.
func CheckKeySetURL(address string) error {
	target, err := url.Parse(address)
	switch {
	case err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http":
		return errors.New("it is not a URL such as https://accounts.example.org/.well-known/jwks.json")
	case target.User != nil:
		return errors.New("it has a user name or a password, which JWKS endpoints do not need")
	case target.Scheme == "http" && !isLoopback(target.Hostname()):
		return errors.New("it is not https, so that others could replace the keys; http is accepted for this machine only")
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// check refuses tokens that no key of the set makes valid, before a key is looked for.
func (k *KeySet) check(c *claims, method string) error {
	switch {
	case !slices.Contains(keySetMethods, method):
		return fmt.Errorf("%s is not an algorithm of this issuer", method)
	case c.expiresAt == nil:
		return errors.New("the token does not expire")
	case k.Audience == "" && c.hasAudience:
		return errors.New("the token is for an audience, and Docket has none")
	case k.Audience != "" && !slices.Contains(c.audience, k.Audience):
		return errors.New("the token is for another audience")
	}
	return nil
}

// Fetch fetches the keys, unless that was tried a short time ago, and waits for them.
func (k *KeySet) Fetch() {
	if done := k.fetch(); done != nil {
		<-done
	}
}

// key returns the key of a name. It waits for a fetch when the name is not known, at most once in fetchInterval for all requests.
func (k *KeySet) key(name keyName) (any, error) {
	key, fresh := k.find(name)
	if key != nil {
		if !fresh {
			k.fetch()
		}
		return key, nil
	}
	k.Fetch()
	if key, _ := k.find(name); key != nil {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed {
		return nil, ErrKeysUnavailable
	}
	return nil, errors.New("the issuer has no such key")
}

// find returns a fetched key, nil when there is none, and whether it need not be fetched again.
func (k *KeySet) find(name keyName) (key any, fresh bool) {
	current := k.current.Load()
	if current == nil {
		return nil, false
	}
	age := k.clock().Sub(current.at)
	if age >= keysKept {
		return nil, false
	}
	return current.keys[name], age < keysFresh
}

// fetch returns a channel that is closed when a fetch ends, the one in progress or a new one. It returns nil when the last one
// began less than fetchInterval ago.
func (k *KeySet) fetch() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight
	}
	now := k.clock()
	if !k.tried.IsZero() && now.Sub(k.tried) < fetchInterval {
		return nil
	}
	done := make(chan struct{})
	k.tried, k.flight = now, done
	go func() {
		keys, err := k.download()
		if err == nil {
			k.current.Store(&fetchedKeys{at: now, keys: keys})
		} else {
			k.report(fmt.Errorf("fetch the keys of the issuer %q: %w", k.Issuer, err))
		}
		k.mu.Lock()
		k.failed, k.flight = err != nil, nil
		k.mu.Unlock()
		close(done)
	}()
	return done
}

func (k *KeySet) download() (map[keyName]any, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := k.client.Do(req)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		err = failure.Err // without the address, whose query may contain a secret
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the endpoint answered %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySetBytes {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxKeySetBytes)
	}
	return readKeySet(body)
}

// readKeySet returns the keys of a set that verify tokens. As RFC 7517, section 5, requires, keys of other kinds are ignored. So
// are keys without an id and those that are too weak. A set without any key that can be used is an error. Of two keys with the
// same name, neither is used.
func readKeySet(body []byte) (map[keyName]any, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	keys, seen := map[keyName]any{}, map[keyName]bool{}
	for _, raw := range set.Keys {
		name, key := readKey(raw)
		if key == nil {
			continue
		}
		if seen[name] {
			delete(keys, name)
			continue
		}
		seen[name], keys[name] = true, key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of %d keys in the set is an RSA key of %d bits or a P-256 key with a kid", len(set.Keys), minRSABits)
	}
	return keys, nil
}

// readKey returns nil for a key that is not used.
func readKey(raw json.RawMessage) (name keyName, key any) {
	var member jwkset.JWKMarshal
	if json.Unmarshal(raw, &member) != nil {
		return keyName{}, nil
	}
	// Certificates are not needed, and their addresses are not fetched.
	member.X5C, member.X5T, member.X5TS256, member.X5U = nil, "", "", ""
	parsed, err := jwkset.NewJWKFromMarshal(member, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return keyName{}, nil
	}
	var method string
	switch public := parsed.Key().(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() >= minRSABits {
			method, key = jwt.SigningMethodRS256.Alg(), public
		}
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			method, key = jwt.SigningMethodES256.Alg(), public
		}
	}
	verifies := len(member.KEYOPS) == 0 || slices.Contains(member.KEYOPS, jwkset.KeyOpsVerify)
	signature := member.USE == "" || member.USE == jwkset.UseSig
	if key == nil || member.KID == "" || !verifies || !signature || member.ALG != "" && member.ALG.String() != method {
		return keyName{}, nil
	}
	return keyName{member.KID, method}, key
}
