// Package urlform owns the rule for URLs: which texts are the address of a web page, and why the others are not. It also owns the
// forms of a URL: the id form, which identifies a page, and the full form, which people follow. Every caller that stores a URL
// calls Parse, so that a text is accepted or refused in the same way whatever way it comes in.
//
// It only computes. It does not ask the network or the database whether a URL exists, and it does not change what may matter to
// a server: letter case, query, percent-encoding.
package urlform

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxID is the largest size of an id form in bytes. An index entry must fit into a third of a page, which is a little more.
const MaxID = 2000

// Form is a URL split into the columns of the table urls.
type Form struct {
	ID            string  // without scheme, trailing slashes and fragment; never empty, meets every check of urls.url
	Scheme        *string // in lower case; nil when the URL was given without one
	TrailingSlash bool    // whether the URL ended in a slash
}

// Parse splits the URL of a web page. It ignores the fragment, and white space and invisible characters at the ends. Two URLs with
// the same ID are the same page. The error is an Error, whose text is for the person who entered the URL.
func Parse(raw string) (Form, error) {
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, 0) {
		return Form{}, ErrEncoding
	}
	form := split(raw, isBlank)
	if err := form.check(raw); err != nil {
		return Form{}, err
	}
	return form, nil
}

// IDs returns the id forms under which the page of a URL may be stored, in the order of preference; none when
// it cannot be stored. Unlike Parse, IDs also returns the id form of a URL that the rule refuses: an earlier version of Docket,
// or another program, may have stored it. There are two of a URL with invisible characters at its ends, which earlier versions kept.
func IDs(raw string) (ids []string) {
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, 0) {
		return nil
	}
	for _, trimmed := range []func(rune) bool{unicode.IsSpace, isBlank} {
		if id := split(raw, trimmed).ID; id != "" && (len(ids) == 0 || id != ids[0]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Clean removes the fragment, and white space and invisible characters at the ends, which are never part of the address of a page.
func Clean(raw string) string {
	page := clean(raw, isBlank)
	rest := trimEnd(page, isBlank)
	return rest + strings.Repeat("/", strings.Count(page[len(rest):], "/"))
}

// SchemeText returns the scheme, or an empty text when there is none.
func (f Form) SchemeText() string {
	if f.Scheme == nil {
		return ""
	}
	return *f.Scheme
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

// split makes the form of any text. Characters for which blank reports true are trimmed at the ends.
func split(raw string, blank func(rune) bool) (form Form) {
	rest := clean(raw, blank)
	if scheme, after, ok := cutScheme(rest); ok {
		scheme = strings.ToLower(scheme)
		form.Scheme, rest = &scheme, after
	}
	form.ID = trimEnd(rest, blank)
	form.TrailingSlash = strings.Contains(rest[len(form.ID):], "/")
	form.ID = strings.TrimLeftFunc(form.ID, blank)
	return form
}

func clean(raw string, blank func(rune) bool) string {
	page, _, _ := strings.Cut(raw, "#")
	return strings.TrimFunc(page, blank)
}

// trimEnd trims slashes and blanks, which may alternate.
func trimEnd(url string, blank func(rune) bool) string {
	return strings.TrimRightFunc(url, func(r rune) bool { return r == '/' || blank(r) })
}

// cutScheme splits "scheme://rest" where the scheme is a letter followed by letters, digits, "+", "." and "-".
func cutScheme(url string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(url, "://")
	if !ok || !isScheme(scheme) {
		return "", url, false
	}
	return scheme, rest, true
}

func isScheme(text string) bool {
	for i := range len(text) {
		c := text[i] | 0x20 // lower case, where it is a letter
		letter := 'a' <= c && c <= 'z'
		other := '0' <= text[i] && text[i] <= '9' || strings.IndexByte("+.-", text[i]) >= 0
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return text != ""
}

// IsBlank reports whether a text shows nothing: it is empty, or has only white space and invisible characters. This rule is that of
// all texts that must not be empty, such as names, reasons and notes.
func IsBlank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !isBlank(r) && !unicode.Is(unicode.Variation_Selector, r) })
}

// isBlank reports whether a character shows nothing at the ends of a text.
func isBlank(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) }

// isInvisible reports whether a character has no glyph and no width: zero-width spaces and joiners, soft hyphens, byte order marks,
// marks of the writing direction, fillers.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}
