package urlform

import (
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Likeness is a difference between two URLs that probably lead to the same page. The server may see one: that is why such URLs have
// different id forms.
type Likeness int

// The differences, in the order in which Key removes them.
const (
	InvisibleCharacters Likeness = iota // at the ends; earlier versions of Docket kept them
	Punycode                            // of a host name in another script
	HostCase
	TrailingDot // of the host
	DefaultPort
	WWW
	PercentEncoding // of characters that need none, and letter case of the others
	TrackingParameters
	EmptyQuery
	likenesses
)

// Likenesses are all of them.
func Likenesses() (all []Likeness) {
	for l := range likenesses {
		all = append(all, l)
	}
	return all
}

func (l Likeness) String() string {
	return [...]string{
		"invisible_characters", "punycode", "host_case", "trailing_dot", "default_port", "www", "percent_encoding",
		"tracking_parameters", "empty_query",
	}[l]
}

// Key removes the differences, which must be in their order, from the URL of a page. URLs with the same key are probably the same
// page.
func (f Form) Key(differences ...Likeness) string {
	if slices.Contains(differences, InvisibleCharacters) {
		f.ID = trimEnd(strings.TrimLeftFunc(f.ID, isBlank), isBlank)
	}
	a := addressOf(f)
	for _, l := range differences {
		a.remove(l)
	}
	return strings.TrimRight(a.String(), "/")
}

// address is an id form in its parts.
type address struct {
	scheme string // empty when it is not known
	user   string // with the "@"
	host   string
	port   string // with the colon
	path   string
	query  string // with the question mark
}

func addressOf(f Form) address {
	a := address{scheme: f.SchemeText(), host: f.Host()}
	a.path = f.ID[len(a.host):]
	if at := strings.IndexByte(a.path, '?'); at >= 0 {
		a.path, a.query = a.path[:at], a.path[at:]
	}
	if at := strings.LastIndexByte(a.host, '@'); at >= 0 {
		a.user, a.host = a.host[:at+1], a.host[at+1:]
	}
	if at := strings.LastIndexByte(a.host, ':'); at > strings.LastIndexByte(a.host, ']') {
		a.host, a.port = a.host[:at], a.host[at:]
	}
	return a
}

func (a *address) String() string { return a.user + a.host + a.port + a.path + a.query }

func (a *address) remove(l Likeness) {
	switch l {
	case Punycode:
		a.host = toASCII(a.host)
	case HostCase:
		a.host = strings.ToLower(a.host)
	case TrailingDot:
		a.host = strings.TrimSuffix(a.host, ".")
	case DefaultPort:
		if a.port == ":" || a.port == ":80" && a.scheme != "https" || a.port == ":443" && a.scheme != "http" {
			a.port = ""
		}
	case WWW:
		if rest := a.host[min(4, len(a.host)):]; strings.EqualFold(a.host, "www."+rest) && strings.Contains(rest, ".") {
			a.host = rest
		}
	case PercentEncoding:
		a.path, a.query = decodeUnreserved(a.path), decodeUnreserved(a.query)
	case TrackingParameters:
		a.query = withoutTracking(a.query)
	case EmptyQuery:
		if a.query == "?" {
			a.query = ""
		}
	}
}

// lookup maps a label as browsers do before they ask for its address.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// toASCII writes the labels of other scripts in Punycode, unless they are not allowed in host names.
func toASCII(host string) string {
	labels := strings.Split(withPlainDots(host), ".")
	for i, label := range labels {
		ascii, err := lookup.ToASCII(label)
		if err == nil && strings.ContainsFunc(label, func(r rune) bool { return r > 127 }) {
			labels[i] = ascii
		}
	}
	return strings.Join(labels, ".")
}

// decodeUnreserved decodes the percent-encoded characters that mean the same without, and writes the others in upper case
// (RFC 3986, 6.2.2).
func decodeUnreserved(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+2 >= len(text) {
			out.WriteByte(text[i])
			continue
		}
		high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
		if high < 0 || low < 0 {
			out.WriteByte('%')
			continue
		}
		if c := byte(high<<4 | low); 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			out.WriteString(strings.ToUpper(text[i : i+3]))
		}
		i += 2
	}
	return out.String()
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	if 'A' <= c && c <= 'F' {
		c |= 0x20 // lower case
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// trackingParameters say from where a visitor came, and not which page is shown; so do all that begin with "utm_".
// docs/decisions/pages-stored-twice.md names the sources.
var trackingParameters = []string{
	"__s", "_hsenc", "fbclid", "mc_eid", "mkt_tok", "oly_anon_id", "oly_enc_id", "vero_id",
	"dclid", "gbraid", "gclid", "igshid", "msclkid", "twclid", "wbraid", "yclid",
}

func withoutTracking(query string) string {
	if query == "" {
		return query
	}
	given := strings.Split(query[1:], "&")
	rest := slices.DeleteFunc(slices.Clone(given), func(parameter string) bool {
		name, _, _ := strings.Cut(strings.ToLower(parameter), "=")
		return strings.HasPrefix(name, "utm_") || slices.Contains(trackingParameters, name)
	})
	switch {
	case len(rest) == len(given):
		return query
	case len(rest) == 0:
		return ""
	}
	return "?" + strings.Join(rest, "&")
}
