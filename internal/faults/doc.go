// Package faults contains only a test. It runs docket serve on a PostgreSQL server of its own, breaks both in every way that it
// knows while annotators work, and then counts what is stored. scripts/test runs a short form, scripts/test --faults the long one.
//
// The files: suite_test.go is the test and what it requires, system_test.go starts and kills the processes, faults_test.go
// lists the faults, work_test.go lists what clients write and how it is counted, client_test.go sends a request until it is answered,
// report_test.go counts and prints.
package faults
