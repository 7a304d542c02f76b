package faultproxy

import (
	"regexp"
	"strings"
	"time"
)

// Point is a time in the life of a statement.
type Point int

const (
	// BeforeStatement is before the server receives the statement.
	BeforeStatement Point = iota
	// AfterSend is after the server has received the statement and what commits it, while it executes it. pgx, when it is cut
	// there, asks the server on a new connection to cancel the statement.
	AfterSend
	// BeforeAnswer is after the server has executed the statement, and committed it outside a transaction block, and before the
	// client receives any of the answer.
	BeforeAnswer
	// AfterAnswer is after the client has received the answer.
	AfterAnswer
	// Connect is when a client has connected. Rules at it ignore Match's SQL, which is empty.
	Connect
)

// Statement is a statement that a client sends.
type Statement struct {
	SQL  string // as the client prepared or sent it
	Conn int    // the number of its connection, from 1
}

// Rule says which statements cause a fault.
type Rule struct {
	Match func(Statement) bool // nil matches all
	At    Point
	Do    Action

	Skip        int     // how many matching statements pass before the first fault
	Times       int     // how many faults the rule causes at most; 0 is no limit
	Probability float64 // of a fault at a matching statement; 0 means always

	seen, done int
}

// Action is a fault. It runs at the point of its rule, and its connection waits for it: an Action of the test's own can kill a
// server, or wait for another client. It must not call Set.
type Action func(*Conn)

// Commit matches the COMMIT of a transaction block.
func Commit(s Statement) bool { return strings.EqualFold(strings.TrimSpace(s.SQL), "commit") }

// SQL matches statements that contain a match of the regular expression. sqlc's statements begin with "-- name: TheirName :one".
func SQL(expression string) func(Statement) bool {
	pattern := regexp.MustCompile(expression)
	return func(s Statement) bool { return pattern.MatchString(s.SQL) }
}

// Cut resets the client's connection. The server reads to the end what it was sent, then finds the connection closed.
func Cut(c *Conn) { c.cut() }

// Delay waits.
func Delay(d time.Duration) Action { return func(*Conn) { time.Sleep(d) } }

// Stall stops forwarding silently, until Heal: both ends keep an open connection on which nothing arrives, not even its end.
func Stall(toward Direction) Action { return func(c *Conn) { c.stall(toward) } }

// HalfClose ends the stream in one direction, as the peer's shutdown would. The other direction continues.
func HalfClose(toward Direction) Action { return func(c *Conn) { c.halfClose(toward) } }

// Direction is that of a stream, or of both streams, of a connection.
type Direction int

const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// fires returns whether the rule causes a fault at this point of the statement, and counts it. chance is in [0, 1).
func (r *Rule) fires(at Point, s Statement, chance func() float64) bool {
	if r.At != at || r.Match != nil && !r.Match(s) {
		return false
	}
	r.seen++
	if r.seen <= r.Skip || r.Times > 0 && r.done >= r.Times || r.Probability > 0 && chance() >= r.Probability {
		return false
	}
	r.done++
	return true
}
