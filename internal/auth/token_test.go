package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/auth"
)

var (
	key = []byte("0123456789abcdef0123456789abcdef")
	now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func verifier(t interface{ Fatal(...any) }) *auth.Verifier {
	v, err := auth.NewVerifier(key, nil, 0, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// raw signs any header and payload with HS256, also invalid ones.
func raw(header, payload string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

const hs256 = `{"alg":"HS256","typ":"JWT"}`

func TestVerifyPayloads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		payload string
		want    *auth.User
	}{
		"full": {
			`{"sub":"7","permissions":["robot","source_collector_final_review","access_source_collector"],"exp":1767323046,"nbf":1767323045,"iat":1767323045}`,
			&auth.User{UserID: 7, Permissions: auth.Permissions()},
		},
		"bare":                {`{"sub":"7","permissions":[]}`, &auth.User{UserID: 7}},
		"largest id":          {`{"sub":"2147483647","permissions":[]}`, &auth.User{UserID: 2147483647}},
		"unknown permission":  {`{"sub":"7","permissions":["make_tea"]}`, &auth.User{UserID: 7}},
		"unknown claims":      {`{"sub":"7","permissions":[],"fresh":false,"jti":"x","type":"access"}`, &auth.User{UserID: 7}},
		"expired":             {`{"sub":"7","permissions":[],"exp":1767323045}`, nil},
		"expires as text":     {`{"sub":"7","permissions":[],"exp":"never"}`, nil},
		"expires at -1e300":   {`{"sub":"7","permissions":[],"exp":-1e300}`, nil},
		"not yet valid":       {`{"sub":"7","permissions":[],"nbf":1767323046}`, nil},
		"issued later":        {`{"sub":"7","permissions":[],"iat":1767323046}`, nil},
		"audience":            {`{"sub":"7","permissions":[],"aud":"other"}`, nil},
		"audience list":       {`{"sub":"7","permissions":[],"aud":["other"]}`, nil},
		"no sub":              {`{"permissions":[]}`, nil},
		"empty sub":           {`{"sub":"","permissions":[]}`, nil},
		"sub is a number":     {`{"sub":7,"permissions":[]}`, nil},
		"sub is a name":       {`{"sub":"ada","permissions":[]}`, nil},
		"sub is a fraction":   {`{"sub":"7.0","permissions":[]}`, nil},
		"sub over int32":      {`{"sub":"2147483648","permissions":[]}`, nil},
		"sub zero":            {`{"sub":"0","permissions":[]}`, nil},
		"sub negative":        {`{"sub":"-7","permissions":[]}`, nil},
		"sub with a plus":     {`{"sub":"+7","permissions":[]}`, nil},
		"sub with a zero":     {`{"sub":"07","permissions":[]}`, nil},
		"sub with a blank":    {`{"sub":" 7","permissions":[]}`, nil},
		"sub with an end":     {`{"sub":"7\n","permissions":[]}`, nil},
		"sub of other digits": {`{"sub":"７","permissions":[]}`, nil},
		"sub with separators": {`{"sub":"1_0","permissions":[]}`, nil},
		"sub in hexadecimal":  {`{"sub":"0x7","permissions":[]}`, nil},
		"sub with exponent":   {`{"sub":"1e3","permissions":[]}`, nil},
		"sub is null":         {`{"sub":null,"permissions":[]}`, nil},
		"sub in a list":       {`{"sub":["7"],"permissions":[]}`, nil},
		"escaped name of sub": {`{"\u0073ub":"7","permissions":[]}`, &auth.User{UserID: 7}},
		"SUB":                 {`{"SUB":"7","permissions":[]}`, nil},
		"SUB before sub":      {`{"SUB":"8","sub":"7","permissions":[]}`, &auth.User{UserID: 7}},
		"SUB after sub":       {`{"sub":"7","Sub":"8","\u017fub":"9"}`, &auth.User{UserID: 7}},
		"Exp":                 {`{"sub":"7","Exp":1,"EXP":1,"Nbf":9999999999,"IAT":9999999999}`, &auth.User{UserID: 7}},
		"Exp after exp":       {`{"sub":"7","exp":1,"Exp":9999999999}`, nil},
		"Permissions":         {`{"sub":"7","Permissions":["robot"],"PERMISSIONS":["access_source_collector"]}`, &auth.User{UserID: 7}},
		"Aud":                 {`{"sub":"7","Aud":"other"}`, &auth.User{UserID: 7}},
		"sub twice":           {`{"sub":"7","sub":"8"}`, nil},
		"the same sub twice":  {`{"sub":"7","sub":"7"}`, nil},
		"escaped sub twice":   {`{"sub":"7","s\u0075b":"8"}`, nil},
		"exp twice":           {`{"sub":"7","exp":9999999999,"exp":1}`, nil},
		"permissions twice":   {`{"sub":"7","permissions":[],"permissions":["robot"]}`, nil},
		"unknown claim twice": {`{"sub":"7","jti":1,"jti":2}`, nil},
		"audience null":       {`{"sub":"7","aud":null}`, nil},
		"exp null":            {`{"sub":"7","exp":null}`, nil},
		"exp a number text":   {`{"sub":"7","exp":"9999999999"}`, nil},
		"exp true":            {`{"sub":"7","exp":true}`, nil},
		"exp a fraction":      {`{"sub":"7","exp":1767323046.5}`, &auth.User{UserID: 7}},
		"exp an exponent":     {`{"sub":"7","exp":1.8e9}`, &auth.User{UserID: 7}},
		"exp at 1e300":        {`{"sub":"7","exp":1e300}`, nil},
		"nbf at 1e300":        {`{"sub":"7","nbf":1e300}`, nil},
		"nbf at 1e19":         {`{"sub":"7","nbf":1e19}`, nil},
		"nbf null":            {`{"sub":"7","nbf":null}`, nil},
		"iat at 1e19":         {`{"sub":"7","iat":1e19}`, nil},
		"iat a text":          {`{"sub":"7","iat":"1767323045"}`, nil},
		"null":                {`null`, nil},
		"a text":              {`"sub"`, nil},
		"two objects":         {`{"sub":"7"}{"sub":"8"}`, nil},
		"permissions nested":  {`{"sub":"7","permissions":[["robot"]]}`, nil},
		"permission null":     {`{"sub":"7","permissions":["robot",null]}`, nil},
		"sub over int64":      {`{"sub":"99999999999999999999","permissions":[]}`, nil},
		"no permissions":      {`{"sub":"7"}`, &auth.User{UserID: 7}},
		"permissions null":    {`{"sub":"7","permissions":null}`, nil},
		"permissions number":  {`{"sub":"7","permissions":1}`, nil},
		"permissions false":   {`{"sub":"7","permissions":false}`, nil},
		"permissions text":    {`{"sub":"7","permissions":"access_source_collector"}`, nil},
		"permissions objects": {`{"sub":"7","permissions":{"access_source_collector":true}}`, nil},
		"permissions mixed":   {`{"sub":"7","permissions":["access_source_collector",1]}`, nil},
		"not an object":       {`[]`, nil},
		"not JSON":            {`sub=7`, nil},
		"empty":               {``, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, err := verifier(t).Verify(raw(hs256, test.payload))
			if test.want == nil {
				require.ErrorIs(t, err, auth.ErrInvalidToken)
				require.Zero(t, user)
				return
			}
			require.NoError(t, err)
			require.Equal(t, *test.want, user)
		})
	}
}

func TestVerifyForgeries(t *testing.T) {
	t.Parallel()
	claims := jwt.MapClaims{"sub": "7", "permissions": []string{}}
	sign := func(method jwt.SigningMethod, key any) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return token
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&private.PublicKey)})
	good := sign(jwt.SigningMethodHS256, key)
	_, err = verifier(t).Verify(good)
	require.NoError(t, err)

	for name, token := range map[string]string{
		"none":              sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"RS256":             sign(jwt.SigningMethodRS256, private),
		"public key as key": sign(jwt.SigningMethodHS256, public),
		"HS512":             sign(jwt.SigningMethodHS512, key),
		"other key":         sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32))),
		"signature cut off": good[:strings.LastIndex(good, ".")+1],
		"two parts":         good[:strings.LastIndex(good, ".")],
		"four parts":        good + ".e30",
		"truncated":         good[:len(good)-2],
		"alg missing":       raw(`{"typ":"JWT"}`, `{"sub":"7","permissions":[]}`),
		"alg in lower case": raw(`{"alg":"hs256"}`, `{"sub":"7","permissions":[]}`),
		"alg a number":      raw(`{"alg":1}`, `{"sub":"7","permissions":[]}`),
		"critical header":   raw(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{"sub":"7","permissions":[]}`),
		"huge":              raw(hs256, `{"sub":"7","permissions":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"dots":              strings.Repeat(".", 100_000),
		"empty":             "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier(t).Verify(token)
			require.ErrorIs(t, err, auth.ErrInvalidToken)
		})
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	token, err := auth.Issue(key, 7, nil, 0, now)
	require.NoError(t, err)
	for header, want := range map[string]error{
		"":                    auth.ErrNotAuthenticated,
		"Bearer":              auth.ErrNotAuthenticated,
		"Bearer  ":            auth.ErrNotAuthenticated,
		"Basic " + token:      auth.ErrNotAuthenticated,
		token:                 auth.ErrNotAuthenticated,
		"Bearer x":            auth.ErrInvalidToken,
		"Bearer " + token:     nil,
		"bearer " + token:     nil,
		"Bearer  " + token:    nil,
		"Bearer, " + token:    auth.ErrNotAuthenticated,
		"Bearer a " + token:   auth.ErrInvalidToken,
		"Bearer\t" + token:    auth.ErrNotAuthenticated,
		"Bearer " + token[1:]: auth.ErrInvalidToken,
	} {
		_, err := verifier(t).Authenticate(header)
		require.ErrorIs(t, err, want, "header %q", header)
	}
}

func TestIssue(t *testing.T) {
	t.Parallel()
	token, err := auth.Issue(key, 7, []auth.Permission{auth.AccessSourceCollector}, time.Minute, now)
	require.NoError(t, err)
	user, err := verifier(t).Verify(token)
	require.NoError(t, err)
	require.Equal(t, auth.User{UserID: 7, Permissions: []auth.Permission{auth.AccessSourceCollector}}, user)
	require.NoError(t, user.Require(auth.AccessSourceCollector))
	require.ErrorIs(t, user.Require(auth.SourceCollectorFinalReview), auth.ErrForbidden)

	for wait, valid := range map[time.Duration]bool{-time.Second: false, 59 * time.Second: true, time.Minute: false} {
		v, err := auth.NewVerifier(key, nil, 0, func() time.Time { return now.Add(wait) })
		require.NoError(t, err)
		_, err = v.Verify(token)
		require.Equal(t, valid, err == nil, "%v after it was issued: %v", wait, err)
	}

	for _, id := range []int32{0, -1, -1 << 31} {
		_, err = auth.Issue(key, id, nil, 0, now)
		require.ErrorContains(t, err, "positive")
	}
	_, err = auth.Issue(key, 7, nil, -time.Second, now)
	require.Error(t, err)
	_, err = auth.Issue(key, 7, []auth.Permission{"make_tea"}, 0, now)
	require.ErrorContains(t, err, "make_tea")
	_, err = auth.Issue(key[:31], 7, nil, 0, now)
	require.ErrorContains(t, err, "31 bytes")
}

func TestNewVerifierRefusesShortKey(t *testing.T) {
	t.Parallel()
	_, err := auth.NewVerifier(key[:31], nil, 0, time.Now)
	require.ErrorContains(t, err, "at least 32")
}

// TestLeeway shows the last second before which, and the first from which on, each claim makes a token invalid.
func TestLeeway(t *testing.T) {
	t.Parallel()
	for _, leeway := range []time.Duration{0, time.Second, auth.DefaultLeeway, auth.MaxLeeway} {
		v, err := auth.NewVerifier(key, nil, leeway, func() time.Time { return now })
		require.NoError(t, err)
		seconds := int64(leeway / time.Second)
		for _, test := range []struct {
			claim string
			at    int64 // seconds after now
			valid bool
		}{
			{"exp", 1 - seconds, true},
			{"exp", -seconds, false},
			{"nbf", seconds, true},
			{"nbf", seconds + 1, false},
			{"iat", seconds, true},
			{"iat", seconds + 1, false},
		} {
			_, err := v.Verify(raw(hs256, fmt.Sprintf(`{"sub":"7",%q:%d}`, test.claim, now.Unix()+test.at)))
			require.Equal(t, test.valid, err == nil, "%s %d s after now, with a leeway of %s: %v", test.claim, test.at, leeway, err)
		}
	}
	for _, leeway := range []time.Duration{-1, auth.MaxLeeway + 1} {
		_, err := auth.NewVerifier(key, nil, leeway, time.Now)
		require.ErrorContains(t, err, "is not from 0s to 5m0s")
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	ctx := auth.NewContext(context.Background(), auth.User{UserID: 7})
	require.Equal(t, int32(7), auth.UserFrom(ctx).UserID)
	_, ok := auth.FromContext(context.Background())
	require.False(t, ok)
	require.Panics(t, func() { auth.UserFrom(context.Background()) })
}

// The token of any user verifies as that user, and with one changed character never as another user.
func TestVerifyProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := auth.User{
			UserID:      rapid.Int32Min(1).Draw(t, "id"),
			Permissions: rapid.SampledFrom([][]auth.Permission{nil, auth.Permissions()[:1], auth.Permissions()}).Draw(t, "permissions"),
		}
		token, err := auth.Issue(key, want.UserID, want.Permissions, time.Hour, now)
		require.NoError(t, err)
		got, err := verifier(t).Verify(token)
		require.NoError(t, err)
		require.Equal(t, want, got)

		changed := []byte(token)
		changed[rapid.IntRange(0, len(changed)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		if got, err := verifier(t).Verify(string(changed)); err == nil {
			// The last character of a signature has unused bits; no other character may change.
			require.Equal(t, want, got)
			require.Equal(t, token[:len(token)-1], string(changed[:len(changed)-1]))
		}
	})
}

// FuzzVerify signs arbitrary headers and claims. A token that is accepted names its user by a claim that is spelled "sub", one
// time, as a positive number without decoration.
func FuzzVerify(f *testing.F) {
	f.Add(hs256, `{"sub":"7","permissions":[]}`)
	f.Add(`{"alg":"none"}`, `{"sub":"7","permissions":[]}`)
	f.Add(`{"alg":"HS256"}`, `{"sub":7,"exp":1e999,"permissions":{}}`)
	f.Add(`{"alg":"HS256"}`, `{"sub":"7","exp":9e18,"nbf":-9e18,"iat":null,"permissions":[]}`)
	f.Add(hs256, `{"SUB":"8","sub":"7","sub":"9"}`)
	f.Add(hs256, `{"sub":"7","exp":9999999999.5,"nbf":1e-3,"permissions":["robot"]}`)
	number := regexp.MustCompile(`^[1-9][0-9]*$`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		for _, token := range []string{raw(header, payload), header + "." + payload + ".", header} {
			user, err := verifier(t).Verify(token)
			if err != nil {
				if !errors.Is(err, auth.ErrInvalidToken) || user.UserID != 0 {
					t.Fatalf("%q: %v, %v", token, user, err)
				}
				continue
			}
			var set map[string]json.RawMessage
			var sub string
			if err := errors.Join(json.Unmarshal([]byte(payload), &set), json.Unmarshal(set["sub"], &sub)); err != nil {
				t.Fatalf("%q is accepted: %v", payload, err)
			}
			if !number.MatchString(sub) || sub != strconv.Itoa(int(user.UserID)) {
				t.Fatalf("%q is accepted as user %d", payload, user.UserID)
			}
		}
	})
}
