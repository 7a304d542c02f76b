package main

import (
	"time"

	"github.com/spf13/pflag"

	"docket/api"
	"docket/internal/origin"
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

// origins returns what hashes the addresses of anonymous answers; nil if each session counts.
func (cfg *serveConfig) origins(key []byte) *origin.Hasher {
	if !cfg.addressVotes {
		return nil
	}
	return origin.NewHasher(key)
}

// addCallerFlags adds the flags that limit how many requests callers may send, and how many votes they have.
func (cfg *serveConfig) addCallerFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&cfg.addressVotes, "one-vote-per-address", false,
		"count one answer about a URL of all anonymous sessions at an IPv4 address or an IPv6 /64, by a keyed hash of the address")
	cfg.rateLimits = defaultRateLimits
	limits := &cfg.rateLimits
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
