package benchmarks

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"docket/api"
	"docket/benchmarks/measure"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

var tokenKey = []byte("a key for benchmarks and for nothing else")

// NewHandler returns what docket serve serves, phases timed and every request logged to nowhere.
func NewHandler(pool *postgres.Pool) (http.Handler, error) {
	return handlerOf(annotation.New(pool, ranking.NewQueue()))
}

func handlerOf(service *annotation.Service) (http.Handler, error) {
	verifier, err := auth.NewVerifier(tokenKey, nil, auth.DefaultLeeway, time.Now)
	if err != nil {
		return nil, err
	}
	log := zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel))
	return api.New(api.Config{
		Annotations: service,
		Verifier:    verifier,
		Metrics:     api.NewMetrics(func() api.PoolStats { return api.PoolStats{} }),
		Log:         log,
		Timings:     true,
	})
}

// Token is an Authorization header of a user, an ordinary account.
func Token(user int32) (string, error) {
	token, err := auth.Issue(tokenKey, user, nil, 0, time.Now())
	return "Bearer " + token, err
}

// yardsticks are the least that an endpoint with a database can do, on the same pool. They are not authenticated, not
// logged, not timed.
func yardsticks(pool *postgres.Pool) http.Handler {
	engine := gin.New()
	engine.GET("/urls/:id", func(c *gin.Context) {
		id, err := strconv.Atoi(c.Param("id"))
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		var url struct {
			URL           string
			Scheme        *string
			TrailingSlash bool
		}
		err = pool.QueryRow(c.Request.Context(), "SELECT url, scheme, trailing_slash FROM urls WHERE id = $1", id).
			Scan(&url.URL, &url.Scheme, &url.TrailingSlash)
		if err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, url)
	})
	engine.GET("/one", func(c *gin.Context) {
		var one int32
		if err := pool.QueryRow(c.Request.Context(), "SELECT 1").Scan(&one); err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, one)
	})
	return engine
}

// serveOnLoopback serves until stop is called.
func serveOnLoopback(handler http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // ends with Close; a client notices any other end
		close(served)
	}()
	return listener.Addr().String(), func() {
		_ = server.Close()
		<-served
	}, nil
}

const requestsGroup = "requests"

// endpoints are what is asked for under load. The primary key comes first: the others are reported as shares of it.
var endpoints = []struct {
	name, path string
	user       func(client int) int32
}{
	{"primary key", "/bench/urls/77", nil},
	{"SELECT 1", "/bench/one", nil},
	{"GET typical", "/annotate/all", func(int) int32 { return Heavy5000 }},
	{"GET hottest", "/annotate/all", func(client int) int32 { return strangers + int32(client) }},
}

// requests measures whole HTTP requests over loopback: one client's phases, then requests per second.
func (r *run) requests(ctx context.Context) error {
	pool, err := openAsServed(ctx, r.url, 0)
	if err != nil {
		return err
	}
	defer pool.Close()
	product, err := NewHandler(pool)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/bench/", http.StripPrefix("/bench", yardsticks(pool)))
	mux.Handle("/", product)
	address, stop, err := serveOnLoopback(mux)
	if err != nil {
		return err
	}
	defer stop()

	if err := r.phases(ctx, address); err != nil {
		return err
	}
	const rounds = 3
	for _, clients := range []int{1, 8, 32} {
		perSecond := make([][]float64, len(endpoints))
		found := make([]measure.Series, len(endpoints))
		for range rounds {
			for i, endpoint := range endpoints {
				got, err := measure.Load(ctx, clients, r.Load/rounds, func(client int) (measure.Client, error) {
					if endpoint.user == nil {
						return measure.Get(address, endpoint.path, "", nil)
					}
					return getAs(address, endpoint.path, endpoint.user(client), nil)
				})
				if err != nil {
					return fmt.Errorf("%s: %w", endpoint.name, err)
				}
				perSecond[i] = append(perSecond[i], got.PerSecond)
				found[i].Times = append(found[i].Times, got.Times...)
			}
		}
		for i, endpoint := range endpoints {
			slices.Sort(found[i].Times)
			f := figure(requestsGroup, fmt.Sprintf("%s/clients=%d", endpoint.name, clients), found[i], 0)
			f.PerSecond = median(perSecond[i])
			f.Values = map[string]float64{"share_of_primary_key": f.PerSecond / median(perSecond[0])}
			r.add(f)
		}
	}
	return nil
}

func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// phases measures one client's requests and the time of each phase, as the server reports it.
func (r *run) phases(ctx context.Context, address string) error {
	for _, which := range urlsByUser {
		phases := make(map[string][]float64)
		header := func(h http.Header) {
			for name, us := range measure.ServerTiming(h.Get("Server-Timing")) {
				phases[name] = append(phases[name], us)
			}
		}
		got, err := measure.Load(ctx, 1, r.Probe, func(int) (measure.Client, error) {
			return getAs(address, "/annotate/all", which.user, header)
		})
		if err != nil {
			return err
		}
		f := figure("HTTP round trip and phases", "url="+which.name, got.Series, 0)
		f.Values = make(map[string]float64)
		for name, us := range phases {
			f.Values[name+"_us"] = median(us)
		}
		r.add(f)
	}
	return nil
}

// getAs connects a client that asks for a resource as a user.
func getAs(address, path string, user int32, header func(http.Header)) (measure.Client, error) {
	token, err := Token(user)
	if err != nil {
		return measure.Client{}, err
	}
	return measure.Get(address, path, token, header)
}
