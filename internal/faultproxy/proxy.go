package faultproxy

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// Proxy forwards connections to one PostgreSQL server. Its methods may be called at any time, from any goroutine.
type Proxy struct {
	url      string
	network  string // of the server
	address  string // of the server
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // of the fields below, and of stalled and closed of each connection
	rules   []*Rule
	random  *rand.Rand
	faults  int
	numbers int
	conns   map[*Conn]struct{}
	stalled Direction
	closed  bool
}

// New starts a proxy in front of the server of a connection string, and stops it at the end of the test.
func New(t testing.TB, databaseURL string) *Proxy {
	t.Helper()
	config, err := pgconn.ParseConfig(databaseURL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: listener, random: rand.New(rand.NewPCG(1, 1)), conns: map[*Conn]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)

	through, err := url.Parse(databaseURL)
	require.NoError(t, err)
	through.Host = listener.Addr().String()
	options := through.Query()
	options.Del("host")
	options.Del("port")
	options.Set("sslmode", "disable")
	through.RawQuery = options.Encode()
	p.url = through.String()

	p.running.Go(p.accept)
	t.Cleanup(p.Close)
	return p
}

// URL is the connection string of the same database through the proxy.
func (p *Proxy) URL() string { return p.url }

// Set replaces all rules. Rules are tried in order, and the first that fires at a point of a statement is applied. Stalled
// connections remain stalled.
func (p *Proxy) Set(rules ...Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	for _, rule := range rules {
		p.rules = append(p.rules, &rule)
	}
}

// Seed restarts the random numbers of rules with a Probability.
func (p *Proxy) Seed(seed uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random = rand.New(rand.NewPCG(seed, seed))
}

// Faults is how many faults rules have caused.
func (p *Proxy) Faults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// Each applies an action to all open connections, concurrently with what they do.
func (p *Proxy) Each(do Action) {
	p.mu.Lock()
	open := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range open {
		do(c)
	}
}

// Partition stops forwarding silently, of open connections and of those that clients open until Heal. New connections are accepted.
func (p *Proxy) Partition(toward Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = toward
}

// Heal ends a partition and all stalls. What was sent meanwhile arrives.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = 0
	for c := range p.conns {
		c.stalled = 0
	}
	p.changed.Broadcast()
}

// Close ends all connections and waits for them. An Action that waits must end for it to return.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	open := slices.Collect(maps.Keys(p.conns))
	p.changed.Broadcast()
	p.mu.Unlock()
	_ = p.listener.Close()
	for _, c := range open {
		c.close()
	}
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards one connection until both streams have ended.
func (p *Proxy) serve(client *net.TCPConn) {
	server, err := new(net.Dialer).DialContext(context.Background(), p.network, p.address)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	c := &Conn{proxy: p, client: client, server: server.(stream), prepared: map[string]string{}, portals: map[string]string{}}
	if !p.add(c) {
		c.close()
		return
	}
	defer p.remove(c)
	c.at(Connect, Statement{Conn: c.Number})
	var streams sync.WaitGroup
	streams.Go(c.forwardRequests)
	streams.Go(c.forwardAnswers)
	streams.Wait()
	c.close()
}

func (p *Proxy) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.numbers++
	c.Number = p.numbers
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// choose returns the action of the first rule that fires, or nil.
func (p *Proxy) choose(at Point, s Statement) Action {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rule := range p.rules {
		if rule.fires(at, s, p.random.Float64) {
			p.faults++
			return rule.Do
		}
	}
	return nil
}
