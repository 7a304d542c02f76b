package main

import (
	"time"

	"github.com/spf13/pflag"

	"docket/api"
	"docket/internal/ratelimit"
)

// defaultRateLimits are far from what a person sends, or a class behind one address. Scripts that send more get 429 and can wait.
var defaultRateLimits = api.RateLimits{
	User:        ratelimit.Quota{Requests: 1200, Window: time.Minute},
	Session:     ratelimit.Quota{Requests: 600, Window: time.Minute},
	Address:     ratelimit.Quota{Requests: 3000, Window: time.Minute},
	NewSessions: ratelimit.Quota{Requests: 300, Window: time.Hour},
	Submissions: ratelimit.Quota{Requests: 60, Window: time.Hour},
}

// addRateLimitFlags adds the flags that limit how many requests callers may send.
func addRateLimitFlags(flags *pflag.FlagSet, limits *api.RateLimits) {
	*limits = defaultRateLimits
	for _, limit := range []struct {
		name  string
		quota *ratelimit.Quota
		of    string
	}{
		{"rate-limit-user", &limits.User, "most requests of a user in a time, also at once; 0 means any number"},
		{"rate-limit-session", &limits.Session, "most requests of an anonymous session, likewise"},
		{"rate-limit-address", &limits.Address, "most requests without a valid token from an IPv4 address or an IPv6 /64, likewise"},
		{"rate-limit-new-sessions", &limits.NewSessions, "most anonymous sessions that an address opens, likewise"},
		{"rate-limit-submissions", &limits.Submissions, "most data sources that an address submits without a token, likewise"},
	} {
		flags.Var(limit.quota, limit.name, limit.of)
	}
}
