// Package sample makes up a world to annotate: places, agencies, batches, URLs, what robots and annotators said of
// them, and what that led to. It looks like the real one where a query would notice: most URLs were never annotated
// and a few were by nearly everybody, a few annotators did most of the work, one batch holds half of all URLs.
//
// The world keeps the rules of the annotation domain. What annotators said is what their requests would have stored;
// what is validated or suspended has the answers that call for it; and nothing else has, so that a run of the
// consensus finds nothing to do.
//
// The package only computes. The same arguments give the same rows on every machine: it uses no clock, no order of
// a map and no floating-point arithmetic that one processor may round otherwise than another. It refuses to know
// the database, except for the types of its rows.
package sample
