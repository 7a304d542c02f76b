// Package imports owns what comes from CSV files: agencies with their places, URLs with what a file says of them, which it
// passes to package robots as suggestions, and follows, which it passes to package follows.
//
// An import reports the outcome of every row, and changes nothing when it is repeated. Agencies and URLs are stored in parts, each in
// one transaction, so that other writers do not wait for the whole file; follows are one transaction. The package does not fetch
// pages and does not judge what URLs are worth.
package imports
