// Package imports owns what comes from CSV files: agencies with their places, URLs with what a file says of them, which it
// passes to package robots as suggestions, and follows, which it passes to package follows.
//
// An import reports the outcome of every row, changes nothing when it is repeated, and is one transaction. The package does not
// fetch pages and does not judge what URLs are worth.
package imports
