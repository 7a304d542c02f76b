// Package auth answers who sends a request and what they may do.
//
// It owns the form of the token (a JWT signed with HS256, compatible with the service that issues
// them), the permissions, and the key. It keeps no users: a user is the integer a valid token names.
// It refuses to know about HTTP beyond the value of one header; the caller turns its three errors
// into answers.
package auth

import (
	"context"
	"errors"
	"slices"
)

// Permission is a right that a token grants.
type Permission string

// The permissions Docket knows; others in a token are dropped. Robot is Docket's own.
const (
	AccessSourceCollector      Permission = "access_source_collector"
	SourceCollectorFinalReview Permission = "source_collector_final_review"
	Robot                      Permission = "robot"
)

// Permissions lists every known permission.
func Permissions() []Permission {
	return []Permission{AccessSourceCollector, SourceCollectorFinalReview, Robot}
}

// The reasons for which a request is turned away. Clients see their texts, with a capital letter.
var (
	ErrNotAuthenticated = errors.New("not authenticated")
	ErrInvalidToken     = errors.New("could not validate credentials")
	ErrForbidden        = errors.New("access forbidden")
)

// User is somebody whose token has been verified.
type User struct {
	UserID      int32
	Permissions []Permission
}

// Require returns ErrForbidden unless the user has permission p.
func (u User) Require(p Permission) error {
	if slices.Contains(u.Permissions, p) {
		return nil
	}
	return ErrForbidden
}

type contextKey struct{}

// NewContext returns a context that carries the user.
func NewContext(ctx context.Context, user User) context.Context {
	return context.WithValue(ctx, contextKey{}, user)
}

// FromContext returns the user of ctx and whether there is one.
func FromContext(ctx context.Context) (User, bool) {
	user, ok := ctx.Value(contextKey{}).(User)
	return user, ok
}

// UserFrom returns the user of ctx. It panics when there is none: the operation asks for a user
// that its contract does not require, and no answer may be stored under a made-up id.
func UserFrom(ctx context.Context) User {
	user, ok := FromContext(ctx)
	if !ok {
		panic("auth: no user in the context of an operation that needs one")
	}
	return user
}
