package postgres

// Writes is writes, for tests that need package dbtest, which imports this one.
var Writes = writes
