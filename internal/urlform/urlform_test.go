package urlform

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	http, https := "http", "https"
	tests := map[string]struct {
		raw  string
		want Form
		full string
	}{
		"plain":                      {"https://x.org/a", Form{"x.org/a", &https, false}, "https://x.org/a"},
		"trailing slash":             {"https://x.org/", Form{"x.org", &https, true}, "https://x.org/"},
		"many trailing slashes":      {"https://x.org/a///", Form{"x.org/a", &https, true}, "https://x.org/a/"},
		"slash before the fragment":  {"https://x.org/#a", Form{"x.org", &https, true}, "https://x.org/"},
		"slash in the fragment only": {"https://x.org#/", Form{"x.org", &https, false}, "https://x.org"},
		"space before the fragment":  {"https://x.org \u00a0#a", Form{"x.org", &https, false}, "https://x.org"},
		"query stays":                {"http://x.org/?a=b/", Form{"x.org/?a=b", &http, true}, "http://x.org/?a=b/"},
		"no scheme":                  {"x.org/a/", Form{"x.org/a", nil, true}, "x.org/a"},
		"scheme in upper case":       {"HTTPS://X.org/A", Form{"X.org/A", &https, false}, "https://X.org/A"},
		"space at the ends":          {"\u00a0 https://x.org/\t\u00a0/ ", Form{"x.org", &https, true}, "https://x.org/"},
		"space after the scheme":     {"https:// x.org", Form{"x.org", &https, false}, "https://x.org"},
		"scheme inside the path":     {"http://x.org/https://y.org", Form{"x.org/https://y.org", &http, false}, "http://x.org/https://y.org"},
		"zero-width space at end":    {"https://x.org/a\u200b", Form{"x.org/a", &https, false}, "https://x.org/a"},
		"soft hyphen before slash":   {"https://x.org/a\u00ad/", Form{"x.org/a", &https, true}, "https://x.org/a/"},
		"byte order mark in front":   {"\ufeffhttps://\u200bx.org/a", Form{"x.org/a", &https, false}, "https://x.org/a"},
		"mark of direction in front": {"\u202ahttps://x.org/a\u202c \u2060", Form{"x.org/a", &https, false}, "https://x.org/a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, err := Parse(tt.raw)
			require.NoError(t, err)
			require.Equal(t, tt.want, form)
			require.Equal(t, tt.full, full(form))
		})
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	empty, https, url := "", "https", "x.org"
	require.Equal(t, "x.org", Full(nil, &url, true), "the slash is not added back without a scheme")
	require.Equal(t, "x.org", Full(&empty, &url, true), "an empty scheme is none")
	require.Equal(t, "https://x.org", Full(&https, &url, false))
	require.Equal(t, "https://x.org/", Full(&https, &url, true))
	require.Empty(t, Full(&https, nil, true), "a row without a URL has no full form")
}

// schemeCheck is the check constraint of urls.url in Go's syntax.
var schemeCheck = regexp.MustCompile(`(?i)^[a-z][a-z0-9+.-]*://`)

func requireLawful(t require.TestingT, raw string) {
	form, err := Parse(raw)
	if err != nil {
		return
	}
	require.NotEmpty(t, form.ID)
	require.True(t, utf8.ValidString(form.ID))
	require.False(t, schemeCheck.MatchString(form.ID), "scheme left in %q", form.ID)
	require.False(t, strings.HasSuffix(form.ID, "/"), "slash left in %q", form.ID)
	require.NotContains(t, form.ID, "#")
	require.NotContains(t, form.ID, "\u00a0")
	require.NotContains(t, form.ID, "\x00")

	require.Contains(t, IDs(raw), form.ID)
	require.Equal(t, []string{form.ID}, IDs(form.ID), "the id form is its own id form")

	cleaned, err := Parse(Clean(raw))
	require.NoError(t, err)
	require.Equal(t, form, cleaned, "cleaning changes nothing that is stored")
	require.Equal(t, Clean(raw), Clean(Clean(raw)))

	again, err := Parse(full(form))
	require.NoError(t, err)
	require.Equal(t, form.ID, again.ID, "the full form keeps the id")
	require.Equal(t, full(form), full(again), "the full form is its own full form")
	if form.Scheme != nil {
		require.Equal(t, form, again, "with a scheme nothing is lost")
	}
}

func TestParseLaws(t *testing.T) {
	t.Parallel()
	// Texts made of pieces: random text rarely contains a scheme, and almost never two.
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"http", "HTTPS", "x+y", "://", ":", "/", "//", "#", "?", " ", "\u00a0", "\t", ".", "x.org", "é", "K", "\u200b", "\ufeff", "@", "[::1]"}),
		rapid.StringN(0, 3, -1),
	)
	rapid.Check(t, func(t *rapid.T) {
		requireLawful(t, strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "https://x.org/#a", "HTTP://x.org/a?b=c#d", "http://https://x.org", "\u00a0x.org/\u00a0/", "x.org\xff", "://x", "a:// b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) { requireLawful(t, raw) })
}

func full(form Form) string { return Full(form.Scheme, &form.ID, form.TrailingSlash) }

func TestIsBlank(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{
		"", " \t\n", "\u00a0\u3000", "\u200b", "\u200d\ufeff", " \u2060 ", "\u00ad", "\u202e", "\u3164\u115f", "\ufe0f", "\u034f",
	} {
		require.True(t, IsBlank(blank), "%+q", blank)
	}
	for _, text := range []string{"a", " \u200ba", "-", "\u2764\ufe0f", "\u0301", "\u5b57", "\u200f\u05d0"} {
		require.False(t, IsBlank(text), "%+q", text)
	}
}
