// Package intake owns how data enters Docket in bulk: agencies with their places and URLs with what is known of
// them, from CSV files, and sample data for an empty database.
//
// An import tells what became of every row, changes nothing when it is repeated, and is one transaction: all of it
// or none. The package refuses to fetch pages and to judge what URLs are worth; it takes a file's word for a robot's
// suggestion, never for a fact.
package intake
