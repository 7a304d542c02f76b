// Package postgres is everything between the use cases and PostgreSQL that is not a query: the connection pool,
// transactions, advisory locks, and the translation of database errors into the sentinels of the use cases.
//
// It holds no SQL of the annotation domain and knows no table.
package postgres
