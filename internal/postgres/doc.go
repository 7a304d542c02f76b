// Package postgres is everything between the use cases and PostgreSQL except the queries: the connection pool, transactions,
// advisory locks, and the translation of database errors into the errors of the use cases.
//
// It holds no SQL of the annotation domain and knows no table.
//
// # Which connection a function takes
//
// A function of a use case that chooses its own transactions takes a *Pool, or is a method of a service that has one. A
// function that is part of its caller's transaction takes a pgx.Tx. A function that runs single statements on the connection
// of its caller, inside or outside a transaction, takes a db.DBTX, the interface that sqlc generates.
//
// # Which errors a function returns
//
// A Pool translates errors by the rules of the use case that holds it, and so do its connections and InTx. A pgx.Tx does not:
// InTx translates when the transaction has ended. So only this package translates errors, and each error once.
package postgres
