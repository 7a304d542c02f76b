// Package upkeep has the small periodic works that belong to no other use case: the backlog snapshot, names from page titles, and the
// deletion of what is old. It does not know when they run: package jobs does.
package upkeep
