package urlform

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says why a text is not the URL of a web page, in words for the person who entered it. There are no others than the
// following, so rows of a file can be counted by them.
type Error string

func (e Error) Error() string { return string(e) }

// Why a URL is refused. Of several reasons, Parse returns the first one.
const (
	ErrEncoding     Error = "the URL is not UTF-8 text"
	ErrEmpty        Error = "nothing is left of the URL without scheme, slashes and fragment"
	ErrSeveral      Error = "give one URL alone: there is another URL, or text in front of the URL"
	ErrSlashes      Error = "http: and https: must be followed by two slashes and a host name"
	ErrScheme       Error = "not a web page: its URL begins with http:// or https:// and a host"
	ErrSecondScheme Error = "the URL has a second scheme right after the first"
	ErrSpace        Error = "the URL has white space inside; a blank that belongs to the address is written %20"
	ErrControl      Error = "the URL has a control character inside"
	ErrInvisible    Error = "the URL has an invisible character inside, such as a zero-width space or a soft hyphen"
	ErrLong         Error = "the URL is longer than 2,000 bytes"
	ErrHost         Error = "http:// or https:// must be followed by a host name, like example.org"
	ErrPort         Error = "the port in the URL is not a number up to 65535"
	ErrNoHost       Error = "without http:// or https://, the URL must begin with a host name, like example.org"
)

var (
	// The fragment is not part of the page, but a second URL in it would be lost without a word.
	urlAfterSpace = regexp.MustCompile(`(?i)[\s\p{Z}](https?://|www\.)`)
	// In a query or after a slash, another URL is part of the address: archives and proxies have such pages.
	urlAfterURL = regexp.MustCompile(`(?i)^([^/?]+|[^?]*[,;|])https?://`)
)

// check returns the first reason to refuse the URL raw, whose form is f.
func (f Form) check(raw string) error {
	_, _, secondScheme := cutScheme(f.ID)
	several := urlAfterURL.MatchString(f.ID)
	switch {
	case f.ID == "":
		return ErrEmpty
	case urlAfterSpace.MatchString(strings.TrimFunc(raw, isBlank)):
		return ErrSeveral
	case f.Scheme != nil && *f.Scheme != "http" && *f.Scheme != "https":
		return ErrScheme
	case secondScheme && !several:
		return ErrSecondScheme
	}
	if err := f.checkOpaque(); err != nil {
		return err
	}
	switch {
	case several:
		return ErrSeveral
	case strings.ContainsFunc(f.ID, unicode.IsSpace):
		return ErrSpace
	case strings.ContainsFunc(f.ID, unicode.IsControl):
		return ErrControl
	case strings.ContainsFunc(f.ID, isInvisible):
		return ErrInvisible
	case len(f.ID) > MaxID:
		return ErrLong
	}
	return f.checkHost()
}

// checkOpaque refuses a scheme without "://", as in "mailto:records@example.gov". A host name with a port is not one.
func (f Form) checkOpaque() error {
	scheme, rest, ok := strings.Cut(f.ID, ":")
	if f.Scheme != nil || !ok || !isScheme(scheme) {
		return nil
	}
	if scheme = strings.ToLower(scheme); scheme == "http" || scheme == "https" {
		return ErrSlashes
	}
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	if _, ok := portNumber(rest); !ok || !strings.Contains(scheme, ".") {
		return ErrScheme
	}
	return nil
}

// checkHost checks the host. A URL without a scheme must have one that looks like the name of a web server, because any text would
// be a name in a local network.
func (f Form) checkHost() error {
	refused := ErrNoHost
	host := f.Host()
	if f.Scheme != nil {
		refused = ErrHost
		if strings.ContainsRune(host, '\\') { // a slash to browsers, so that what follows is not the host
			return refused
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
	}
	name, port, _ := strings.Cut(host, ":")
	if lower := strings.ToLower(name); lower == "http" || lower == "https" { // as in https://https//example.org
		return ErrSecondScheme
	}
	if address, rest, ok := strings.Cut(host, "]"); ok && strings.HasPrefix(address, "[") {
		ip, err := netip.ParseAddr(address[1:])
		if err != nil || !ip.Is6() || f.Scheme == nil || rest != "" && rest[0] != ':' {
			return refused
		}
		port = strings.TrimPrefix(rest, ":")
	} else if labels, ok := labelsOf(name); !ok || f.Scheme == nil && !looksPublic(name, labels) {
		return refused
	}
	if number, ok := portNumber(port); !ok || number > 65535 {
		return ErrPort
	}
	return nil
}

// labelsOf returns the labels of a host name, which may end in a dot. It allows letters of any script, symbols such as emoji, and
// the underscore, which the standard forbids and hosts use.
func labelsOf(name string) (labels []string, ok bool) {
	labels = strings.Split(strings.TrimSuffix(withPlainDots(name), "."), ".")
	for _, label := range labels {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return !belongsInLabel(r) }) {
			return nil, false
		}
	}
	return labels, true
}

// withPlainDots replaces the dots of other scripts, which browsers take for dots.
func withPlainDots(host string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("。．｡", r) {
			return '.'
		}
		return r
	}, host)
}

func belongsInLabel(r rune) bool {
	switch {
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), strings.ContainsRune("-_·׳״・", r):
		return true
	default:
		return r > unicode.MaxASCII && r != utf8.RuneError && unicode.IsSymbol(r)
	}
}

// looksPublic reports whether a host name has a top-level domain, of which the shortest has two letters, or is an IPv4 address.
func looksPublic(name string, labels []string) bool {
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" {
		ip, err := netip.ParseAddr(name)
		return err == nil && ip.Is4()
	}
	return len(labels) > 1 && utf8.RuneCountInString(last) > 1
}

// portNumber returns the number of a port, 0 for an empty text, and the largest number for one that is too long.
func portNumber(text string) (number int, ok bool) {
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		number = min(number*10+int(digit-'0'), 1<<20)
	}
	return number, true
}
