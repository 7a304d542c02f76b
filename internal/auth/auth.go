// Package auth determines who sends a request and what the sender may do.
//
// It owns the format of the token (a JWT signed with HS256, compatible with the service that issues them, or by RS256 or ES256
// with a key of another issuer), the permissions, and the keys. It stores no users: a user is the integer in a valid token. Of
// HTTP it knows only the value of one header; the caller maps its errors to responses.
package auth

import (
	"context"
	"errors"
	"slices"
)

// Permission is a permission that a token grants.
type Permission string

// The permissions that Docket knows; others in a token are ignored. Ordinary accounts have none, administrators have
// AccessSourceCollector. No operation needs SourceCollectorFinalReview. Robot does not exist in the reference.
const (
	AccessSourceCollector      Permission = "access_source_collector"
	SourceCollectorFinalReview Permission = "source_collector_final_review"
	Robot                      Permission = "robot"
)

// Permissions lists every known permission.
func Permissions() []Permission {
	return []Permission{AccessSourceCollector, SourceCollectorFinalReview, Robot}
}

// The errors of a refused request. Clients see their texts, capitalized.
var (
	ErrNotAuthenticated = errors.New("not authenticated")
	ErrInvalidToken     = errors.New("could not validate credentials")
	ErrForbidden        = errors.New("access forbidden")
)

// User is the user of a verified token.
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

// UserFrom returns the user of ctx. It panics when there is none: then the contract of an operation that needs a user does not
// require a token, and no answer may be stored under an invented id.
func UserFrom(ctx context.Context) User {
	user, ok := FromContext(ctx)
	if !ok {
		panic("auth: no user in the context of an operation that needs one")
	}
	return user
}
