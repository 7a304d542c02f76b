package urlform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRule(t *testing.T) {
	t.Parallel()
	const accepted Error = ""
	for raw, want := range map[string]Error{
		"https://x.org":                    accepted,
		"https://x.org/a?b=c#d":            accepted,
		"HTTP://localhost":                 accepted,
		"http://intranet/a":                accepted,
		"http://user:pw@x.org/":            accepted,
		"http://user@x@y":                  accepted,
		"http://[::1]/x":                   accepted,
		"http://[::1]:8080":                accepted,
		"http://192.0.2.1:80/":             accepted,
		"http://x.org:/":                   accepted,
		"http://münchen":                   accepted,
		"http://i❤.ws/":                    accepted,
		"http://例え。jp/":                    accepted,
		"http://a_b.x.org.":                accepted,
		"http://-x-.org":                   accepted,
		"x.org":                            accepted,
		"x.org:8080/a":                     accepted,
		"x.org?a=b":                        accepted,
		"192.0.2.1/a":                      accepted,
		"see.the.county/clerk?":            accepted,
		"https://x.org/{a}|b^c`d\"<e>\\":   accepted,
		"https://x.org/a#two words":        accepted,
		"http://x.org/http://y.org":        accepted,
		"http://x.org/?u=1,https://y.org":  accepted,
		"http://x.org/a\u0301\ufe0f":       accepted,
		strings.Repeat("x.", 994) + "org":  accepted,
		strings.Repeat("x.", 998) + "org.": accepted,

		"":                                ErrEmpty,
		" \u00a0\u200b":                   ErrEmpty,
		"https://":                        ErrEmpty,
		"https:////":                      ErrEmpty,
		"#top":                            ErrEmpty,
		"https://x.org/\x00":              ErrEncoding,
		"https://x.org/\xff":              ErrEncoding,
		strings.Repeat("x.", 999) + "org": ErrLong,

		"https://a.org/x https://b.org/y":   ErrSeveral,
		"https://a.org/x\nhttp://b.org":     ErrSeveral,
		"https://a.org/x\u00a0www.b.org":    ErrSeveral,
		"https://a.org/x#y https://b.org/y": ErrSeveral,
		"https://a.org/x;https://b.org/y":   ErrSeveral,
		"https://a.org,https://b.org":       ErrSeveral,
		"a.org|https://b.org/y":             ErrSeveral,
		"https://a.orghttps://b.org":        ErrSeveral,
		"See https://a.org":                 ErrSeveral,
		"<https://x.org/a>":                 ErrSeveral,
		"[text](https://x.org/a)":           ErrSeveral,
		"http:// https://x.org":             ErrSeveral,
		"http://https://x.org":              ErrSecondScheme,
		"http://ftp://x.org":                ErrSecondScheme,
		"https://https//x.org":              ErrSecondScheme,
		"https://HTTP/x":                    ErrSecondScheme,

		"ftp://x.org":                                ErrScheme,
		"file:///a/b.c":                              ErrScheme,
		"mailto:records@example.gov":                 ErrScheme,
		"javascript:alert(document.cookie)":          ErrScheme,
		"JavaScript:alert(1.0)//x":                   ErrScheme,
		"data:text/html;base64,PHA+eC55PC9wPg==.":    ErrScheme,
		"tel:555.0100":                               ErrScheme,
		"tel:5550100":                                ErrScheme,
		"view-source:https://x.example.gov":          ErrScheme,
		`C:\Users\clerk\report.pdf`:                  ErrScheme,
		"x.org:http/":                                ErrScheme,
		"https:/one-slash.example.gov/a":             ErrSlashes,
		"https:no-slash.example.gov/a":               ErrSlashes,
		`https:\\x.org\a`:                            ErrSlashes,
		"See website. Call the clerk.":               ErrSpace,
		"https://yourdata.wycokck.org/ (the county)": ErrSpace,
		"https://x.org/a b":                          ErrSpace,
		"https://x.org/a\tb":                         ErrSpace,
		"https://x.org/\u00a0a":                      ErrSpace,
		"https://x.org/a\u3000b":                     ErrSpace,
		"https://x.org/a\u2028b":                     ErrSpace,
		"https://x.org/a\u0001b":                     ErrControl,
		"https://x.org/a\u007f":                      ErrControl,
		"https://x.org/a\u009fb":                     ErrControl,
		"https://x.org/a\u200bb":                     ErrInvisible,
		"https://x.org/a\u00adb":                     ErrInvisible,
		"https://x\ufeff.org":                        ErrInvisible,
		"https://x.org/\u202efdp.exe":                ErrInvisible,
		"https://x.org/\u3164a":                      ErrInvisible,

		"https://.":                                ErrHost,
		"https://x..org":                           ErrHost,
		"https:///path/of/no.host/":                ErrHost,
		"https://?a":                               ErrHost,
		"https://:80/a":                            ErrHost,
		"https://user:pw@/a":                       ErrHost,
		"https://user@:80/a":                       ErrHost,
		"https://[2001:db8::1/a":                   ErrHost,
		"https://[192.0.2.1]/a":                    ErrHost,
		"https://[::1]a/":                          ErrHost,
		`https://x.org\a`:                          ErrHost,
		`https://evil.example\@x.org/a`:            ErrHost, // of evil.example to browsers
		"https://*.x.org":                          ErrHost,
		"https://x\ufffd.org":                      ErrHost,
		"https://x.org:abc/":                       ErrPort,
		"https://x.org:65536/":                     ErrPort,
		"https://x.org:" + strings.Repeat("9", 40): ErrPort,
		"x.org:65536":                              ErrPort,
		"localhost":                                ErrNoHost,
		"localhost/#a.b":                           ErrNoHost,
		"x?a.b":                                    ErrNoHost,
		"?a.b":                                     ErrNoHost,
		"N/A":                                      ErrNoHost,
		"N.A.":                                     ErrNoHost,
		"No.":                                      ErrNoHost,
		"e.g.,this":                                ErrNoHost,
		"555.0100":                                 ErrNoHost,
		"x..org":                                   ErrNoHost,
		".org":                                     ErrNoHost,
		"a/b.c":                                    ErrNoHost,
		"user@x.org":                               ErrNoHost,
		"//x.org/without/a/scheme":                 ErrNoHost,
		"[::1]/a.b":                                ErrNoHost,
		"Cite(arcgis.com)":                         ErrNoHost,
		"user:pw@a.org/x":                          ErrScheme,
		"localhost:8080/a.b":                       ErrScheme,
	} {
		_, err := Parse(raw)
		if want == accepted {
			require.NoError(t, err, raw)
			continue
		}
		require.Equal(t, want, err, raw)
	}
}

// A page that was stored before the rule existed is found by its URL.
func TestIDs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		"https://x.org/a/#b":           {"x.org/a"},
		"\ufeff https://x.org/a\u200b": {"\ufeff https://x.org/a\u200b", "x.org/a"},
		"https://x.org/a\u200b/":       {"x.org/a\u200b", "x.org/a"},
		"ftp://x.org":                  {"x.org"},
		"See website.":                 {"See website."},
		"\u200b":                       {"\u200b"},
		"https://":                     nil,
		"x.org/\x00":                   nil,
		"x.org/\xff":                   nil,
	} {
		require.Equal(t, want, IDs(raw), raw)
	}
}
