// Package api is Docket's REST face: it binds a request, calls one use case and answers.
//
// openapi.yaml is the contract; routes and wire types are generated from it, and contract.go holds
// every request against it before a handler runs. Errors become problems in one place, problem.go.
// The package owns status codes and JSON and refuses everything else: no rule of the domain, no SQL,
// no driver.
package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/export"
	"docket/internal/idempotency"
	"docket/internal/progress"
	"docket/internal/robots"
	"docket/internal/submissions"
)

// What a request may cost unless the configuration says otherwise.
const (
	DefaultMaxBodyBytes   = 1 << 20
	DefaultRequestTimeout = 15 * time.Second
	DefaultExportTimeout  = 30 * time.Minute
)

// Config is what the router is made of. The fields of the first block are needed.
type Config struct {
	Annotations *annotation.Service
	Catalog     *catalog.Service
	Robots      *robots.Service
	Submissions *submissions.Service
	Progress    *progress.Service
	Export      *export.Service
	Idempotency *idempotency.Store
	Verifier    *auth.Verifier
	Metrics     *Metrics
	Log         *zap.Logger

	Checks []Check   // what /readyz asks
	Views  ViewsFunc // what /readyz shows beside; may be nil

	MaxBodyBytes   int64         // DefaultMaxBodyBytes when 0
	RequestTimeout time.Duration // DefaultRequestTimeout when 0
	ExportTimeout  time.Duration // of what is sent while it is read; DefaultExportTimeout when 0
	Timings        bool          // measure phases: log fields, Server-Timing, histogram

	CORSOrigins []string // whose pages may call; "*" alone for everybody's, none for nobody's
	OpenCatalog bool     // the catalog is written without a token, as in the reference

	// Unavailable tells an error that means the database cannot be reached (503) from one that
	// means a defect (500). Nil takes every unknown error for a defect.
	Unavailable func(error) bool
	// Clock measures durations; time.Now when nil.
	Clock func() time.Time
}

// handlers are the operations of the contract, one type per tag.
type handlers struct {
	annotate
	search
	agencies
	urls
	batches
	counts
	exports
	suggestions
	*health
}

// server is what the middleware shares.
type server struct {
	cfg      Config
	contract *contract
	patterns []string // gin's patterns of every route
}

// New returns the handler that serves the contract.
func New(cfg Config) (http.Handler, error) {
	doc, err := Contract()
	if err != nil {
		return nil, err
	}
	if cfg.OpenCatalog {
		openCatalog(doc)
	}
	return newRouter(cfg, doc, func(router gin.IRouter, s *server) {
		operations := handlers{
			annotate{cfg.Annotations},
			search{cfg.Catalog},
			agencies{cfg.Catalog},
			urls{cfg.Submissions, cfg.Catalog},
			batches{cfg.Submissions},
			counts{cfg.Progress},
			exports{cfg.Export},
			suggestions{cfg.Robots},
			&health{checks: cfg.Checks, views: cfg.Views, clock: s.cfg.Clock},
		}
		s.register(router, operations, timeEncoding)
	})
}

// register adds the routes of the contract, whose handlers are the operations with something around each.
func (s *server) register(router gin.IRouter, operations StrictServerInterface, around StrictMiddlewareFunc) {
	strict := NewStrictHandlerWithOptions(operations, []StrictMiddlewareFunc{around}, StrictGinServerOptions{
		RequestErrorHandlerFunc:  s.fail,
		HandlerErrorFunc:         s.fail,
		ResponseErrorHandlerFunc: s.broken,
	})
	RegisterHandlersWithOptions(router, strict, GinServerOptions{
		// The contract has checked what is bound here, so this is a defect, not the client's fault.
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
	s := &server{cfg: cfg}
	var err error
	if s.contract, err = newContract(doc, cfg.Verifier, s.fail); err != nil {
		return nil, err
	}
	cors, err := crossOrigin(cfg.CORSOrigins, doc)
	if err != nil {
		return nil, err
	}
	router := gin.New()
	router.ContextWithFallback = true // handlers get gin's context and must see the request's
	router.HandleMethodNotAllowed = true
	router.RedirectTrailingSlash = false // gin's way bypasses the middleware; noRoute does it
	router.Use(identify, s.observe, cors, s.limit, s.recoverPanics)
	router.NoRoute(s.noRoute)
	router.NoMethod(s.noMethod)
	register(router.Group("", s.contract.check, s.conditional, s.once), s)
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
