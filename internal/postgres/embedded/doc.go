// Package embedded runs a PostgreSQL server as a child process, from the server programs that are installed on the
// machine. Docket uses it when no database URL is given.
//
// It never installs or downloads PostgreSQL, and knows no table.
package embedded
