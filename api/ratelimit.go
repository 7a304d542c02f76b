package api

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"docket/internal/auth"
	"docket/internal/origin"
	"docket/internal/phase"
	"docket/internal/ratelimit"
)

// RateLimits are how many requests callers may send. A caller with a valid token is a user. Every other caller is an address, and
// within the address an anonymous session, if the request names one. The zero Quota is no limit.
type RateLimits struct {
	User        ratelimit.Quota // of each user
	Session     ratelimit.Quota // of each anonymous session
	Address     ratelimit.Quota // of each address without a valid token
	NewSessions ratelimit.Quota // sessions that an address opens
	Submissions ratelimit.Quota // data sources that an address submits without a token
}

// submissionRoutes is how gin's patterns begin of the operations that Submissions limits.
const submissionRoutes = "/submit/"

// rateLimiter has the buckets of all callers. Those of several processes are independent.
type rateLimiter struct {
	user        *ratelimit.Limiter[int32]
	session     *ratelimit.Limiter[uuid.UUID]
	address     *ratelimit.Limiter[netip.Prefix]
	newSessions *ratelimit.Limiter[netip.Prefix]
	submissions *ratelimit.Limiter[netip.Prefix]

	issued func(uuid.UUID) bool
	// opened are sessions with ids that no Docket has made, and that were counted as opened.
	opened *lru.Cache[uuid.UUID, struct{}]
	// misdirected warns one time about a proxy on this host that is not trusted.
	misdirected sync.Once
	refused     *prometheus.CounterVec
}

// newRateLimiter returns the buckets. issued reports whether Docket has made the id of a session.
func newRateLimiter(limits RateLimits, clock func() time.Time, issued func(uuid.UUID) bool, refused *prometheus.CounterVec) *rateLimiter {
	opened, err := lru.New[uuid.UUID, struct{}](ratelimit.MaxCallers)
	if err != nil { // only for a size below one
		panic(err)
	}
	named := func(name string) string {
		refused.WithLabelValues(name) // a series from the start, so that the first refusal is an increase
		return name
	}
	return &rateLimiter{
		user:        ratelimit.New[int32](named("user"), limits.User, clock),
		session:     ratelimit.New[uuid.UUID](named("session"), limits.Session, clock),
		address:     ratelimit.New[netip.Prefix](named("address"), limits.Address, clock),
		newSessions: ratelimit.New[netip.Prefix](named("new-sessions"), limits.NewSessions, clock),
		submissions: ratelimit.New[netip.Prefix](named("submissions"), limits.Submissions, clock),
		issued:      issued,
		opened:      opened,
		refused:     refused,
	}
}

// caller is who sends a request, as far as its token says.
type caller struct {
	user auth.User
	err  error // why there is no user
}

const callerKey = "docket.caller"

// identifyCaller is the gin middleware that reads the token of a request, if there is one. The contract's check decides whether the
// operation needs it.
func (s *server) identifyCaller(c *gin.Context) {
	c.Set(callerKey, s.readToken(c))
}

func (s *server) readToken(c *gin.Context) (by caller) {
	header := c.GetHeader("Authorization")
	if header == "" {
		return caller{err: auth.ErrNotAuthenticated}
	}
	_, end := phase.Start(c.Request.Context(), phase.Auth)
	defer end()
	by.user, by.err = s.cfg.Verifier.Authenticate(header)
	return by
}

// limitRate is the gin middleware that refuses a request beyond the limits of its caller with 429. It runs before anything that
// takes time, and before the contract's check: an invalid request counts, because it takes work too.
func (s *server) limitRate(c *gin.Context) {
	op := s.operations.of(c)
	if op == nil || !op.limited || s.isLocal(c) {
		return
	}
	states, refusal := s.rates.take(c)
	if len(states) == 0 {
		return
	}
	var policies, remaining []string
	for _, state := range states {
		policies = append(policies, fmt.Sprintf(`"%s";q=%d;w=%d`, state.Limit, state.Quota.Requests, inWholeSeconds(state.Quota.Window)))
		remaining = append(remaining, fmt.Sprintf(`"%s";r=%d;t=%d`, state.Limit, state.Remaining, inWholeSeconds(state.Full)))
	}
	c.Header("RateLimit-Policy", strings.Join(policies, ", "))
	c.Header("RateLimit", strings.Join(remaining, ", "))
	if refusal != nil {
		s.rates.refused.WithLabelValues(refusal.state.Limit).Inc()
		c.Header("Retry-After", fmt.Sprint(refusal.seconds()))
		s.fail(c, refusal)
	}
}

// take takes a token of each limit that the request counts for, the narrowest first, until one refuses it.
func (l *rateLimiter) take(c *gin.Context) (states []ratelimit.State, refusal *tooManyError) {
	count := func(state ratelimit.State, limited bool) bool {
		if limited {
			states = append(states, state)
		}
		if !state.Allowed {
			refusal = &tooManyError{state}
		}
		return state.Allowed
	}
	if by := c.MustGet(callerKey).(caller); by.err == nil {
		count(l.user.Take(by.user.UserID))
		return states, refusal
	}
	address := addressOf(c)
	session, opens := l.sessionOf(c)
	switch {
	case strings.HasPrefix(c.FullPath(), submissionRoutes) && !count(l.submissions.Take(address)):
	case opens && !l.open(session, func() bool { return count(l.newSessions.Take(address)) }):
	case session != uuid.Nil && !count(l.session.Take(session)):
	default:
		count(l.address.Take(address))
	}
	return states, refusal
}

// open counts a session as opened, if it may be, even if another limit then refuses the request: a repetition opens no other.
func (l *rateLimiter) open(session uuid.UUID, may func() bool) bool {
	if !may() {
		return false
	}
	if session != uuid.Nil {
		l.opened.Add(session, struct{}{})
	}
	return true
}

// nextOfSession is gin's pattern of the operation that opens a session, if the request names none.
const nextOfSession = "/annotate/anonymous"

// sessionOf returns the session that a request names, uuid.Nil for none, and whether the request opens a session. A session opens
// with its first request if no Docket has made its id.
func (l *rateLimiter) sessionOf(c *gin.Context) (session uuid.UUID, opens bool) {
	if !strings.HasPrefix(c.FullPath(), nextOfSession) {
		return uuid.Nil, false
	}
	text := c.Query(sessionParameter)
	if text == "" {
		return uuid.Nil, c.FullPath() == nextOfSession
	}
	session, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, false // the contract's check refuses the request
	}
	return session, !l.issued(session) && !l.opened.Contains(session)
}

// isLocal reports whether a request is from this host, and no proxy has forwarded it for another one: it has no limits. If a
// proxy on this host is not trusted, its clients cannot be told apart.
func (s *server) isLocal(c *gin.Context) bool {
	peer, err := netip.ParseAddr(c.RemoteIP())
	if err != nil || !peer.Unmap().IsLoopback() {
		return false
	}
	forwarded := c.GetHeader(forwardedForHeader) != ""
	if forwarded && s.trusts(peer.Unmap()) {
		return false
	}
	// Other headers of proxies do not name the client in a way that is believed.
	forwarded = forwarded || c.GetHeader("Forwarded") != "" || c.GetHeader("X-Real-Ip") != "" || c.GetHeader("Via") != ""
	if !forwarded {
		return true
	}
	s.rates.misdirected.Do(func() {
		s.cfg.Log.Warn("a proxy on this host is not a --trusted-proxy, or sends no X-Forwarded-For: its clients have no rate limits",
			zap.String("proxy", peer.String()))
	})
	return true
}

// trusts reports whether an address is that of a trusted proxy.
func (s *server) trusts(peer netip.Addr) bool {
	for _, proxy := range s.cfg.TrustedProxies {
		if address, err := netip.ParseAddr(proxy); err == nil && address.Unmap() == peer {
			return true
		}
		if prefix, err := netip.ParsePrefix(proxy); err == nil && prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// addressOf returns whom the address of a client belongs to, as far as that can be known: one IPv4 address, or the /64 of an IPv6
// address, in which one host has as many addresses as it likes.
func addressOf(c *gin.Context) netip.Prefix {
	address, err := netip.ParseAddr(cmp.Or(c.ClientIP(), c.RemoteIP())) // gin knows no zones
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := address.Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	prefix, _ := address.Prefix(bits) // fails only for bits that an address does not have
	return prefix
}

// originOf returns from where a request comes; the zero Origin without a Hasher.
func originOf(ctx context.Context, hasher *origin.Hasher) origin.Origin {
	c, ok := ctx.(*gin.Context)
	if !ok || hasher == nil {
		return origin.Origin{}
	}
	return hasher.Of(addressOf(c))
}

// tooManyError refuses a request of a caller who has used up a quota.
type tooManyError struct{ state ratelimit.State }

func (e *tooManyError) Error() string {
	seconds := "1 second"
	if e.seconds() != 1 {
		seconds = fmt.Sprintf("%d seconds", e.seconds())
	}
	return fmt.Sprintf("More than %d requests in %s (limit %q); send the request again after %s",
		e.state.Quota.Requests, e.state.Quota.Window, e.state.Limit, seconds)
}

// seconds returns after how many seconds the request may be sent again, at least 1.
func (e *tooManyError) seconds() int { return max(inWholeSeconds(e.state.Next), 1) }

// inWholeSeconds rounds up.
func inWholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
