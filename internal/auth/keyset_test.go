package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/auth"
)

const (
	issuer   = "https://accounts.test/"
	audience = "docket"
)

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	nextKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	largeKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// provider is an issuer of tokens with a JWKS endpoint, and a verifier that accepts them.
type provider struct {
	*httptest.Server
	verifier *auth.Verifier
	keys     *auth.KeySet

	mu      sync.Mutex
	body    string
	status  int
	now     time.Time
	fetches atomic.Int32
	reports atomic.Int32
}

func newProvider(t *testing.T, audience string) *provider {
	p := &provider{status: http.StatusOK, now: now}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Location", "/")
		w.WriteHeader(p.status)
		_, _ = w.Write([]byte(p.body))
	}))
	t.Cleanup(p.Close)
	clock := func() time.Time {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.now
	}
	var err error
	p.keys, err = auth.NewKeySet(p.URL+"/keys?secret=5ecret", issuer, audience, clock, func(err error) {
		p.reports.Add(1)
		if strings.Contains(err.Error(), "5ecret") {
			t.Error("the address is in the error")
		}
	})
	require.NoError(t, err)
	p.verifier, err = auth.NewVerifier(key, p.keys, 0, clock)
	require.NoError(t, err)
	p.publish(t, map[string]any{"rsa": rsaKey().Public(), "ec": ecKey().Public()})
	return p
}

// publish replaces the keys of the endpoint.
func (p *provider) publish(t *testing.T, keys map[string]any) {
	t.Helper()
	set := []any{
		json.RawMessage(`{"kty":"oct","kid":"secret","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`),
		json.RawMessage(`{"kty":"new","kid":"future"}`), json.RawMessage(`7`),
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		jwk, err := jwkset.NewJWKFromKey(keys[id], jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: strings.Trim(id, "+")}})
		require.NoError(t, err)
		set = append(set, jwk.Marshal())
	}
	body, err := json.Marshal(map[string]any{"keys": set})
	require.NoError(t, err)
	p.answer(http.StatusOK, string(body))
}

func (p *provider) answer(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *provider) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// signed returns a token of user 7. Changes replace claims, nil removes one.
func signed(t *testing.T, method jwt.SigningMethod, kid any, key any, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": issuer, "sub": "7", "aud": audience, "exp": now.Add(48 * time.Hour).Unix()}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	token := jwt.NewWithClaims(method, claims)
	if kid != nil {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

func TestKeySetVerifies(t *testing.T) {
	t.Parallel()
	p := newProvider(t, audience)
	public := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	for name, token := range map[string]string{
		"RS256":         signed(t, jwt.SigningMethodRS256, "rsa", rsaKey(), nil),
		"ES256":         signed(t, jwt.SigningMethodES256, "ec", ecKey(), nil),
		"audience list": signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"aud": []string{"other", audience}}),
		"HS256":         signed(t, jwt.SigningMethodHS256, nil, key, jwt.MapClaims{"iss": nil, "aud": nil}),
		"HS256, issuer": signed(t, jwt.SigningMethodHS256, "ec", key, jwt.MapClaims{"iss": "https://other.test/", "aud": nil}),
	} {
		user, err := p.verifier.Verify(token)
		require.NoError(t, err, name)
		require.Equal(t, auth.User{UserID: 7}, user)
	}
	none := signed(t, jwt.SigningMethodNone, "ec", jwt.UnsafeAllowNoneSignatureType, nil)
	for name, token := range map[string]string{
		"none":                       none,
		"HS256 with the secret":      signed(t, jwt.SigningMethodHS256, "ec", key, nil),
		"HS256 with a public key":    signed(t, jwt.SigningMethodHS256, "rsa", publicPEM, nil),
		"HS256 with its DER":         signed(t, jwt.SigningMethodHS256, "rsa", public, nil),
		"HS256, key of the set":      signed(t, jwt.SigningMethodHS256, "secret", key, nil),
		"RS256, other issuer":        signed(t, jwt.SigningMethodRS256, "rsa", rsaKey(), jwt.MapClaims{"iss": "https://other.test/"}),
		"RS256, no issuer":           signed(t, jwt.SigningMethodRS256, "rsa", rsaKey(), jwt.MapClaims{"iss": nil, "aud": nil}),
		"ES256, issuer with a slash": signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"iss": issuer + "/"}),
		"issuer a list":              signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"iss": []string{issuer}}),
		"PS256":                      signed(t, jwt.SigningMethodPS256, "rsa", rsaKey(), nil),
		"RS512":                      signed(t, jwt.SigningMethodRS512, "rsa", rsaKey(), nil),
		"ES384":                      signed(t, jwt.SigningMethodES384, "ec", largeKey(), nil),
		"RS256 with a key for ES256": signed(t, jwt.SigningMethodRS256, "ec", rsaKey(), nil),
		"another key of that kind":   signed(t, jwt.SigningMethodES256, "ec", nextKey(), nil),
		"no kid":                     signed(t, jwt.SigningMethodES256, nil, ecKey(), nil),
		"kid a path":                 signed(t, jwt.SigningMethodES256, "../../dev/null", ecKey(), nil),
		"kid a number":               signed(t, jwt.SigningMethodES256, 7, ecKey(), nil),
		"no audience":                signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"aud": nil}),
		"other audience":             signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"aud": "other"}),
		"audience null in a list":    signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"aud": []any{nil, audience}}),
		"no end":                     signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"exp": nil}),
		"expired":                    signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"exp": now.Unix()}),
		"not yet valid":              signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"nbf": now.Unix() + 1}),
		"sub a name":                 signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"sub": "ada"}),
	} {
		_, err := p.verifier.Verify(token)
		require.ErrorIs(t, err, auth.ErrInvalidToken, name)
	}
	require.EqualValues(t, 1, p.fetches.Load())

	without := newProvider(t, "")
	_, err := without.verifier.Verify(signed(t, jwt.SigningMethodES256, "ec", ecKey(), jwt.MapClaims{"aud": nil}))
	require.NoError(t, err)
	_, err = without.verifier.Verify(signed(t, jwt.SigningMethodES256, "ec", ecKey(), nil))
	require.ErrorIs(t, err, auth.ErrInvalidToken)
}

// A new key is found at once, a withdrawn one is refused, and invented key ids cause one fetch.
func TestKeySetFollowsTheIssuer(t *testing.T) {
	t.Parallel()
	p := newProvider(t, audience)
	p.keys.Fetch()
	before := signed(t, jwt.SigningMethodES256, "ec", ecKey(), nil)
	after := signed(t, jwt.SigningMethodES256, "next", nextKey(), nil)
	p.publish(t, map[string]any{"next": nextKey().Public()})
	verify := func(token string) error {
		_, err := p.verifier.Verify(token)
		return err
	}
	require.NoError(t, verify(before), "the keys are fresh")
	require.ErrorIs(t, verify(after), auth.ErrInvalidToken, "they were fetched a short time ago")
	p.pass(10 * time.Second)
	require.NoError(t, verify(after))
	require.ErrorIs(t, verify(before), auth.ErrInvalidToken)
	require.EqualValues(t, 2, p.fetches.Load())

	p.pass(10 * time.Second)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				if verify(before) == nil {
					t.Error("the key was withdrawn")
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 3, p.fetches.Load(), "200 tokens with an unknown key")

	// Known keys are fetched again while requests go on.
	p.publish(t, map[string]any{"ec": ecKey().Public()})
	p.pass(10 * time.Minute)
	require.NoError(t, verify(after), "the request does not wait for the new keys")
	require.Eventually(t, func() bool { return verify(after) != nil }, time.Minute, time.Millisecond)
	require.NoError(t, verify(before))
	require.EqualValues(t, 4, p.fetches.Load())
	require.Zero(t, p.reports.Load())
}

// Known keys outlive an outage for a day. A token that cannot be verified is not called invalid.
func TestKeySetOutage(t *testing.T) {
	t.Parallel()
	p := newProvider(t, audience)
	good := signed(t, jwt.SigningMethodES256, "ec", ecKey(), nil)
	unknown := signed(t, jwt.SigningMethodES256, "next", nextKey(), nil)
	verify := func(token string) error {
		_, err := p.verifier.Verify(token)
		return err
	}
	set := p.body
	p.answer(http.StatusBadGateway, set)
	require.ErrorIs(t, verify(good), auth.ErrKeysUnavailable, "an outage at the start")
	require.NotErrorIs(t, verify(good), auth.ErrInvalidToken)
	require.EqualValues(t, 1, p.fetches.Load())
	require.NoError(t, verify(signed(t, jwt.SigningMethodHS256, nil, key, jwt.MapClaims{"iss": nil, "aud": nil})), "no outage for these")
	p.answer(http.StatusOK, set)
	p.pass(10 * time.Second)
	require.NoError(t, verify(good))

	for _, answer := range []struct {
		status int
		body   string
	}{{500, set}, {302, set}, {200, ""}, {200, `{"keys":[]}`}, {200, `[]`}, {200, set + strings.Repeat(" ", 1<<20)}} {
		p.answer(answer.status, answer.body)
		p.pass(time.Minute)
		require.ErrorIs(t, verify(unknown), auth.ErrKeysUnavailable, answer.body)
		require.NoError(t, verify(good))
	}
	require.EqualValues(t, 7, p.reports.Load())
	p.pass(24*time.Hour - 7*time.Minute)
	require.NoError(t, verify(good))
	p.Close()
	p.pass(7 * time.Minute)
	require.ErrorIs(t, verify(good), auth.ErrKeysUnavailable, "the keys are a day old")
}

func TestKeySetIgnoresKeys(t *testing.T) {
	t.Parallel()
	p := newProvider(t, audience)
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	p.publish(t, map[string]any{
		"weak": weak.Public(), "large": largeKey().Public(), "good": ecKey().Public(),
		"twice": ecKey().Public(), "+twice": nextKey().Public(),
	})
	for name, test := range map[string]struct {
		method jwt.SigningMethod
		key    crypto.Signer
		valid  bool
	}{
		"good": {jwt.SigningMethodES256, ecKey(), true}, "weak": {jwt.SigningMethodRS256, weak, false},
		"large": {jwt.SigningMethodES384, largeKey(), false}, "twice": {jwt.SigningMethodES256, ecKey(), false},
	} {
		_, err := p.verifier.Verify(signed(t, test.method, name, test.key, nil))
		require.Equal(t, test.valid, err == nil, name)
	}
	for change, valid := range map[string]bool{
		`"use":"sig"`: true, `"use":"enc"`: false, `"alg":"ES256"`: true, `"alg":"ES384"`: false,
		`"key_ops":["verify"]`: true, `"key_ops":["sign"]`: false,
	} {
		p := newProvider(t, audience)
		p.publish(t, map[string]any{"ec": ecKey().Public()})
		p.answer(http.StatusOK, strings.Replace(p.body, `{"kty":"EC"`, `{`+change+`,"kty":"EC"`, 1))
		_, err := p.verifier.Verify(signed(t, jwt.SigningMethodES256, "ec", ecKey(), nil))
		require.Equal(t, valid, err == nil, change)
	}
}

func TestCheckKeySetURL(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://a.test/keys", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]:1/keys"} {
		require.NoError(t, auth.CheckKeySetURL(address), address)
	}
	for _, address := range []string{
		"", "keys.json", "file:///keys", "http://a.test/keys", "https://u:5ecret@a.test/", "https://u:5ecret@a.test:x/",
	} {
		err := auth.CheckKeySetURL(address)
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "5ecret")
	}
	_, err := auth.NewKeySet("https://a.test/", "", "", time.Now, nil)
	require.ErrorContains(t, err, "issuer")
}
