// Package api is Docket's REST interface: a handler binds a request, calls one use case and returns its result.
//
// openapi.yaml is the contract. Routes and wire types are generated from it, and every request is validated against it
// before a handler runs (contract.go). Errors become problems in one place (problem.go), and one writer sends every
// response (response.go). The package owns status codes and JSON; it contains no rule of the domain, no SQL and no driver.
package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/internal/admission"
	"docket/internal/agreement"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/export"
	"docket/internal/follows"
	"docket/internal/history"
	"docket/internal/origin"
	"docket/internal/progress"
	"docket/internal/robots"
	"docket/internal/submissions"
	"docket/internal/tasks"
)

// Limits of a request unless the configuration sets others.
const (
	DefaultMaxBodyBytes   = 1 << 20
	DefaultRequestTimeout = 15 * time.Second
	DefaultExportTimeout  = 30 * time.Minute
)

// Config configures the handler. The fields of the first block are required.
type Config struct {
	Annotations *annotation.Service
	Catalog     *catalog.Service
	Robots      *robots.Service
	Submissions *submissions.Service
	Consensus   *consensus.Explainer
	Reopener    *consensus.Reopener
	History     *history.Reader
	Progress    *progress.Service
	Agreement   *agreement.Service
	Export      *export.Service
	Follows     *follows.Service
	Tasks       *tasks.History
	Control     *tasks.Control
	Verifier    *auth.Verifier
	Metrics     *Metrics
	Log         *zap.Logger

	Admission *admission.Limiter // refuses requests under overload; nil: none are refused

	Checks []Check   // /readyz runs these
	Views  ViewsFunc // /readyz also shows these; may be nil

	MaxBodyBytes   int64         // DefaultMaxBodyBytes when 0
	RequestTimeout time.Duration // DefaultRequestTimeout when 0
	ExportTimeout  time.Duration // for operations that stream; DefaultExportTimeout when 0
	Timings        bool          // measure phases: log fields, Server-Timing, histogram
	SlowRequest    time.Duration // a request that takes this long is logged as a warning, unless it streams; 0 for none

	RateLimits     RateLimits
	IssuedSession  func(uuid.UUID) bool // whether Docket has made the id of a session; nil: it has made all
	Origins        *origin.Hasher       // of several sessions with one address, one has votes about a URL; nil counts each session
	CORSOrigins    []string             // pages of these origins may call; "*" admits every origin, an empty list none
	TrustedProxies []string             // addresses and CIDRs of proxies whose X-Forwarded-For names the client
	OpenCatalog    bool                 // the catalog can be written without a token, as in the reference of December

	Traces         trace.TracerProvider // makes each request a span; nil: none does
	ContinueTraces bool                 // such a span belongs to the trace that the client names

	// Unavailable reports whether an error means that the database may do the same later (503). Every other unknown error
	// means a bug (500), and with nil every unknown error does.
	Unavailable func(error) bool
	// Clock measures durations; time.Now when nil.
	Clock func() time.Time
}

// forwardedForHeader names the client of a proxy.
const forwardedForHeader = "X-Forwarded-For"

// handlers are the operations of the contract, one type per tag.
type handlers struct {
	annotateHandlers
	searchHandlers
	catalogHandlers
	proposalHandlers
	urlHandlers
	consensusHandlers
	historyHandlers
	batchHandlers
	taskHandlers
	progressHandlers
	agreementHandlers
	exportHandlers
	robotHandlers
	followHandlers
	*healthHandlers
}

// server is shared by the middleware.
type server struct {
	cfg        Config
	tracer     trace.Tracer // nil when traces are off
	operations operations
	patterns   []string // gin's patterns of all routes
	rates      *rateLimiter
	refusals   *zap.Logger // for logRefusal
}

// New returns the handler that serves the contract.
func New(cfg Config) (http.Handler, error) {
	doc, err := servedContracts[cfg.OpenCatalog]()
	if err != nil {
		return nil, err
	}
	return newRouter(cfg, doc, func(router gin.IRouter, s *server) {
		operations := handlers{
			annotateHandlers{cfg.Annotations, cfg.Unavailable, cfg.Origins},
			searchHandlers{cfg.Catalog},
			catalogHandlers{cfg.Catalog},
			proposalHandlers{cfg.Catalog},
			urlHandlers{cfg.Submissions, cfg.Catalog, cfg.Origins},
			consensusHandlers{cfg.Consensus, cfg.Reopener},
			historyHandlers{cfg.History},
			batchHandlers{cfg.Submissions, cfg.Annotations},
			taskHandlers{cfg.Tasks, cfg.Control},
			progressHandlers{cfg.Progress},
			agreementHandlers{cfg.Agreement},
			exportHandlers{cfg.Export},
			robotHandlers{cfg.Robots},
			followHandlers{cfg.Follows},
			&healthHandlers{checks: cfg.Checks, views: cfg.Views, clock: s.cfg.Clock},
		}
		s.register(router, operations, timeEncoding)
	})
}

// register adds the routes of the contract; the middleware around runs around each of their handlers.
func (s *server) register(router gin.IRouter, operations StrictServerInterface, around StrictMiddlewareFunc) {
	strict := NewStrictHandlerWithOptions(operations, []StrictMiddlewareFunc{markReplay, around}, StrictGinServerOptions{
		RequestErrorHandlerFunc:  s.fail,
		HandlerErrorFunc:         s.fail,
		ResponseErrorHandlerFunc: s.failEncoding,
	})
	RegisterHandlersWithOptions(router, strict, GinServerOptions{
		// The contract's check has let this request through, so this is a bug, not a fault of the client's.
		ErrorHandler: func(c *gin.Context, err error, _ int) { s.fail(c, fmt.Errorf("bind request: %w", err)) },
	})
}

func init() { gin.SetMode(gin.ReleaseMode) } // no banner, no warnings on standard output

// newRouter assembles the middleware around the routes of a document.
func newRouter(cfg Config, doc *openapi3.T, register func(gin.IRouter, *server)) (http.Handler, error) {
	cfg.MaxBodyBytes = cmp.Or(cfg.MaxBodyBytes, DefaultMaxBodyBytes)
	cfg.RequestTimeout = cmp.Or(cfg.RequestTimeout, DefaultRequestTimeout)
	cfg.ExportTimeout = cmp.Or(cfg.ExportTimeout, DefaultExportTimeout)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &server{cfg: cfg, refusals: cfg.Log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, 1, 0)
	}))}
	if cfg.Traces != nil {
		s.tracer = cfg.Traces.Tracer("docket/api")
	}
	var err error
	if s.operations, err = compileOperations(doc); err != nil {
		return nil, err
	}
	if cfg.IssuedSession == nil {
		cfg.IssuedSession = func(uuid.UUID) bool { return true }
	}
	s.rates = newRateLimiter(cfg.RateLimits, cfg.Clock, cfg.IssuedSession, cfg.Metrics.limited)
	cors, err := crossOrigin(cfg.CORSOrigins, doc)
	if err != nil {
		return nil, err
	}
	router := gin.New()
	router.ContextWithFallback = true // handlers get gin's context, which must end with the request's
	router.HandleMethodNotAllowed = true
	router.RemoteIPHeaders = []string{forwardedForHeader} // believed of trusted proxies only
	if err := router.SetTrustedProxies(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	router.RedirectTrailingSlash = false // gin's redirect bypasses the middleware; noRoute does it
	router.Use(s.protect, identify, s.observe, cors)
	checks := []gin.HandlerFunc{s.identifyCaller, s.limitRate, s.checkContract}
	if cfg.Admission != nil {
		router.Use(s.shed)
		checks = append(checks, s.takeTurn)
	}
	router.Use(s.limit, s.recoverPanics)
	router.NoRoute(s.noRoute)
	router.NoMethod(s.noMethod)
	register(router.Group("", append(checks, s.sendETag, s.takeKey)...), s)
	if err := registerDocumentation(router, doc); err != nil {
		return nil, err
	}
	for _, route := range router.Routes() {
		s.patterns = append(s.patterns, route.Path)
	}
	slices.Sort(s.patterns)
	s.patterns = slices.Compact(s.patterns)
	return engine{router}, nil
}
