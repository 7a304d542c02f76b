// Package faults contains only tests. One runs docket serve on a PostgreSQL server, breaks both in every way that it knows while
// annotators work, and then counts what is stored. scripts/test runs a short form, scripts/test --faults the long one. Another
// kills processes of one database while annotators make facts.
//
// The files:
//
//	suite_test.go   the test, and what it requires
//	system_test.go  starts and kills the processes
//	faults_test.go  the faults
//	work_test.go    what clients write, and how it is found in the database
//	client_test.go  sends a request
//	report_test.go  counts and prints
//
//	instances_test.go  several processes on one database
//
//	cluster_test.go        a cluster whose leader changes; scripts/cluster runs it, with the build tag cluster
//	cluster_nodes_test.go  starts its programs
//	configuration_test.go  their configuration
package faults
