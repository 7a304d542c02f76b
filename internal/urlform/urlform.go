// Package urlform owns the forms of a URL: the id form, which identifies a page, the full form, which people follow, and the
// rules that make both from a typed text.
//
// It only computes. It does not ask the network or the database whether a URL exists, and it does not change what may matter to
// a server: letter case, query, percent-encoding.
package urlform

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	errEmpty        = errors.New("nothing is left of the URL without scheme, slashes and fragment")
	errSecondScheme = errors.New("the URL has a second scheme right after the first")
	errNBSP         = errors.New("the URL has a non-breaking space inside")
	errEncoding     = errors.New("the URL is not UTF-8 text")
)

// nbsp is often part of URLs that were copied from a web page.
const nbsp = '\u00a0'

// Form is a URL split into the columns of the table urls.
type Form struct {
	ID            string  // without scheme, trailing slashes and fragment; never empty, meets every check of urls.url
	Scheme        *string // in lower case; nil when the URL was given without one
	TrailingSlash bool    // whether the URL ended in a slash
}

// Parse splits a URL. It ignores white space at the ends and the fragment. Two URLs with the same ID are the same page. An error
// means that the URL has no such form; its text is for the person who entered the URL. Parse does not check whether the URL can
// be followed: see Valid.
func Parse(raw string) (Form, error) {
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, 0) {
		return Form{}, errEncoding
	}
	var form Form
	rest := Clean(raw)
	if scheme, after, ok := cutScheme(rest); ok {
		scheme = strings.ToLower(scheme)
		form.Scheme, rest = &scheme, after
	}
	// Slashes and spaces may alternate at the end, so both are trimmed together.
	form.ID = strings.TrimRightFunc(rest, func(r rune) bool { return r == '/' || unicode.IsSpace(r) })
	form.TrailingSlash = strings.Contains(rest[len(form.ID):], "/")
	form.ID = strings.TrimSpace(form.ID)

	if form.ID == "" {
		return Form{}, errEmpty
	}
	if _, _, ok := cutScheme(form.ID); ok {
		return Form{}, errSecondScheme
	}
	if strings.ContainsRune(form.ID, nbsp) {
		return Form{}, errNBSP
	}
	return form, nil
}

// Host is the part of the URL before the path and the query, including user and port.
func (f Form) Host() string {
	if end := strings.IndexAny(f.ID, "/?"); end >= 0 {
		return f.ID[:end]
	}
	return f.ID
}

// Full returns the full form of a stored URL. Without a scheme it is the id form, without a trailing slash. The empty scheme,
// which other writers have stored, counts as none.
func Full(scheme, url *string, trailingSlash bool) string {
	if url == nil {
		return ""
	}
	if scheme == nil || *scheme == "" {
		return *url
	}
	full := *scheme + "://" + *url
	if trailingSlash {
		full += "/"
	}
	return full
}

// Clean removes white space at the ends and the fragment, which are never part of the address of a page.
func Clean(raw string) string {
	page, _, _ := strings.Cut(raw, "#")
	return strings.TrimSpace(page)
}

// Valid reports whether a submitted URL is accepted: http or https with any host, or no scheme and a path with a dot in it. The
// path of a URL without a scheme is everything before the query.
func Valid(raw string) bool {
	form, err := Parse(raw)
	if err != nil {
		return false
	}
	if form.Scheme == nil {
		path, _, _ := strings.Cut(form.ID, "?")
		return strings.Contains(path, ".")
	}
	host := form.Host()
	host = host[strings.LastIndexByte(host, '@')+1:]
	return (*form.Scheme == "http" || *form.Scheme == "https") && host != "" && host[0] != ':'
}

// cutScheme splits "scheme://rest" where the scheme is a letter followed by letters, digits, "+", "." and "-".
func cutScheme(url string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(url, "://")
	if !ok || scheme == "" {
		return "", url, false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20 // lower case, where it is a letter
		letter := 'a' <= c && c <= 'z'
		other := '0' <= scheme[i] && scheme[i] <= '9' || strings.IndexByte("+.-", scheme[i]) >= 0
		if !letter && (i == 0 || !other) {
			return "", url, false
		}
	}
	return scheme, rest, true
}
