// Package consensus turns votes into facts. Rule is the arithmetic, which knows no database. The rest loads votes, writes what they
// decide, and explains it. The package owns the tables consensus_facts and consensus_due, and is the only writer of automatic
// validations and of suspensions.
package consensus
