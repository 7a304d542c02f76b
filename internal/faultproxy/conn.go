package faultproxy

import (
	"net"
	"sync"
)

// stream is a TCP connection or a unix socket.
type stream interface {
	net.Conn
	CloseWrite() error
}

// Conn is one connection of a client, and that to the server which belongs to it.
type Conn struct {
	Number int // from 1, in the order in which clients connected

	proxy  *Proxy
	client *net.TCPConn
	server stream

	stalled Direction // guarded by proxy.mu
	closed  bool      // guarded by proxy.mu

	// Texts by name. Only forwardRequests uses them.
	prepared, portals map[string]string

	mu        sync.Mutex
	exchanges []*exchange // those whose answer is not complete, in order
}

// exchange is what the server answers with one ReadyForQuery: all that a client sends up to a Sync, or a simple query.
type exchange struct {
	sent                             bool // the client's part is complete
	afterSend, beforeAnswer, afterIt []Action
}

// at applies the rule for a point that is now.
func (c *Conn) at(point Point, s Statement) {
	if do := c.proxy.choose(point, s); do != nil {
		do(c)
	}
}

// statement applies the rules for a statement that the client has sent and the server has not received, and keeps the actions of
// later points with its exchange. That happens before the server can answer.
func (c *Conn) statement(sql string) {
	s := Statement{SQL: sql, Conn: c.Number}
	c.at(BeforeStatement, s)
	e := c.open()
	c.mu.Lock()
	defer c.mu.Unlock()
	for point, actions := range map[Point]*[]Action{
		AfterSend: &e.afterSend, BeforeAnswer: &e.beforeAnswer, AfterAnswer: &e.afterIt,
	} {
		if do := c.proxy.choose(point, s); do != nil {
			*actions = append(*actions, do)
		}
	}
}

// open returns the exchange that the client's next message belongs to.
func (c *Conn) open() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.exchanges) > 0 {
		if last := c.exchanges[len(c.exchanges)-1]; !last.sent {
			return last
		}
	}
	e := &exchange{}
	c.exchanges = append(c.exchanges, e)
	return e
}

// holds returns whether the answer that the server sends now must not reach the client before it is complete.
func (c *Conn) holds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.exchanges) > 0 && len(c.exchanges[0].beforeAnswer) > 0
}

// answered removes the oldest exchange and returns it.
func (c *Conn) answered() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.exchanges) == 0 {
		return &exchange{}
	}
	e := c.exchanges[0]
	c.exchanges = c.exchanges[1:]
	return e
}

func (c *Conn) run(actions []Action) {
	for _, do := range actions {
		do(c)
	}
}

// pass waits while the direction is stalled. It returns false when the connection has ended.
func (c *Conn) pass(toward Direction) bool {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	for (c.stalled|p.stalled)&toward != 0 && !c.closed && !p.closed {
		p.changed.Wait()
	}
	return !c.closed && !p.closed
}

func (c *Conn) stall(toward Direction) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.stalled |= toward
}

func (c *Conn) halfClose(toward Direction) {
	if toward&ToServer != 0 {
		_ = c.server.CloseWrite()
	}
	if toward&ToClient != 0 {
		_ = c.client.CloseWrite()
	}
}

// cut resets the client's connection. It only ends the stream to the server: a reset would discard what the server has not read
// yet. forwardAnswers discards the rest of the answers.
func (c *Conn) cut() {
	c.end()
	_ = c.client.SetLinger(0)
	_ = c.client.Close()
	_ = c.server.CloseWrite()
}

func (c *Conn) close() {
	c.end()
	_ = c.client.Close()
	_ = c.server.Close()
}

// end marks the connection as closed, and ends its stalls.
func (c *Conn) end() {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.closed = true
	c.proxy.changed.Broadcast()
}
