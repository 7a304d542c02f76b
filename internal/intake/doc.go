// Package intake owns how data enters Docket: agencies with their places and URLs with what is known of them, from CSV
// files; URLs that people submit, one by one or in batches; what robots suggest; and sample data for an empty database. It
// owns the batches, and the deletion of URLs.
//
// An import tells what became of every row, changes nothing when it is repeated, and is one transaction: all of it
// or none. Only one of robots' suggestions, which may be of any length, is stored in parts. The package refuses to fetch
// pages and to judge what URLs are worth; it takes a file's word for a robot's suggestion, and a submitter's for a suggestion
// of theirs, never for a fact. The exception is a batch entered by hand, whose record types are final.
package intake
