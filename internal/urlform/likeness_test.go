package urlform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// split as an earlier version did, which kept invisible characters.
func storedForm(raw string) Form { return split(raw, func(r rune) bool { return r == ' ' }) }

// The URLs of a pair have one key when the difference is removed, and only then.
func TestKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		l    Likeness
		a, b string
	}{
		{InvisibleCharacters, "https://x.org/a\u200b", "https://x.org/a"},
		{InvisibleCharacters, "\ufeffx.org/a\u00ad/", "http://x.org/a"},
		{Punycode, "https://münchen.example/ä", "https://xn--mnchen-3ya.example/ä"},
		{Punycode, "https://straße.example", "https://xn--strae-oqa.example"},
		{Punycode, "https://例え。jp", "https://xn--r8jz45g.jp"},
		{HostCase, "https://X.org/A", "https://x.ORG/A"},
		{HostCase, "https://User@X.org", "https://User@x.org"},
		{TrailingDot, "https://x.org./a", "https://x.org/a"},
		{TrailingDot, "https://x.org.:8080", "https://x.org:8080"},
		{DefaultPort, "http://x.org:80/a", "http://x.org/a"},
		{DefaultPort, "https://x.org:443", "https://x.org"},
		{DefaultPort, "x.org:443", "x.org:"},
		{DefaultPort, "http://[::1]:80", "http://[::1]"},
		{WWW, "https://www.x.org/a", "https://x.org/a"},
		{WWW, "https://WWW.x.org", "https://x.org"},
		{PercentEncoding, "https://x.org/%7Ea%2d%41", "https://x.org/~a-A"},
		{PercentEncoding, "https://x.org/%c3%a4?b=%2f", "https://x.org/%C3%A4?b=%2F"},
		{TrackingParameters, "https://x.org/?utm_source=a&UTM_Campaign=b", "https://x.org/"},
		{TrackingParameters, "https://x.org/a?b=c&fbclid=d&e", "https://x.org/a?b=c&e"},
		{EmptyQuery, "https://x.org/a?", "https://x.org/a"},
		{EmptyQuery, "https://x.org/?", "https://x.org"},
	} {
		a, b := storedForm(tt.a), storedForm(tt.b)
		require.Equal(t, b.Key(tt.l), a.Key(tt.l), "%s: %s", tt.l, tt.a)
		require.NotEqual(t, a.ID, b.ID)
		require.Equal(t, b.Key(Likenesses()...), a.Key(Likenesses()...))
	}
	require.Equal(t, "x.org/%7Ea?A&b", storedForm("https://x.org/%7Ea?A&b").Key(), "nothing is removed")
}

// What a server may well distinguish stays.
func TestKeyKeeps(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		"https://x.org/A":             "https://x.org/a",
		"https://x.org/?a=B":          "https://x.org/?a=b",
		"https://x.org/?a&b":          "https://x.org/?b&a",
		"https://x.org/a%2Fb":         "https://x.org/a/b",
		"https://x.org/a%3Fb":         "https://x.org/a?b",
		"https://x.org/a%zzb%4":       "https://x.org/azzb4",
		"https://x.org:8080":          "https://x.org",
		"http://x.org:443":            "http://x.org",
		"https://x.org:80":            "https://x.org",
		"https://www2.x.org":          "https://x.org",
		"https://www.org":             "https://org",
		"https://User@x.org":          "https://user@x.org",
		"https://x.org/?source=a":     "https://x.org/",
		"https://x.org/?utm=a":        "https://x.org/",
		"https://x.org/?a=utm_medium": "https://x.org/?a",
		"https://x.org/index.html":    "https://x.org/",
	} {
		require.NotEqual(t, storedForm(a).Key(Likenesses()...), storedForm(b).Key(Likenesses()...), a)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("https://User:pw@WWW.münchen.example.:443/%7E%?utm_source=%41&b#c")
	f.Add("\u200bhttp://[::1]:80?")
	f.Fuzz(func(t *testing.T, raw string) {
		form := storedForm(raw)
		require.Equal(t, form.ID, form.Key())
		require.False(t, strings.HasSuffix(form.Key(Likenesses()...), "/"), "as an id form")
	})
}
