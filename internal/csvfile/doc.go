// Package csvfile reads the rows of CSV files, and the lines of other text files, and counts their outcomes. It reads the files
// that programs write: UTF-8 or UTF-16, packed with gzip or not, with any line breaks and the usual separators. A row that cannot
// be read is reported with its line and a reason, and does not affect the rows after it. The package does not interpret what the
// fields mean.
package csvfile
