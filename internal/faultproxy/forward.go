package faultproxy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// The types of messages that the proxy reads. https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	typeParse, typeBind, typeExecute, typeQuery, typeCall, typeSync = 'P', 'B', 'E', 'Q', 'F', 'S' // of clients
	typeReady, typeCopyIn                                           = 'Z', 'G'                     // of servers
)

// The codes in the place of a version with which a client asks for encryption. The proxy offers none.
const (
	codeTLS = 80877103
	codeGSS = 80877104
)

// forwardRequests forwards what the client sends, and applies the rules for its statements.
func (c *Conn) forwardRequests() {
	from, to := bufio.NewReader(c.client), bufio.NewWriter(c.server)
	if err := c.start(from, to); err == nil {
		for c.request(from, to) == nil {
		}
	}
	if c.pass(ToServer) { // the end of the stream is not silent either
		_ = to.Flush()
	}
	_ = c.server.CloseWrite()
}

// start forwards the first message, which has no type.
func (c *Conn) start(from *bufio.Reader, to *bufio.Writer) error {
	for {
		message, err := read(from, 0)
		if err != nil {
			return err
		}
		if code := binary.BigEndian.Uint32(message[4:]); code == codeTLS || code == codeGSS {
			if _, err := c.client.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		}
		c.open().sent = true // the answer to it ends like that to a statement
		return c.send(message, from, to, ToServer)
	}
}

// request forwards one message of the client.
func (c *Conn) request(from *bufio.Reader, to *bufio.Writer) error {
	message, err := read(from, 1)
	if err != nil {
		return err
	}
	body := message[5:]
	switch message[0] {
	case typeParse:
		var parse pgproto3.Parse
		if err := parse.Decode(body); err != nil {
			return err
		}
		c.prepared[parse.Name] = parse.Query
	case typeBind:
		var bind pgproto3.Bind
		if err := bind.Decode(body); err != nil {
			return err
		}
		c.portals[bind.DestinationPortal] = c.prepared[bind.PreparedStatement]
	case typeExecute:
		var execute pgproto3.Execute
		if err := execute.Decode(body); err != nil {
			return err
		}
		c.statement(c.portals[execute.Portal])
	case typeQuery:
		var query pgproto3.Query
		if err := query.Decode(body); err != nil {
			return err
		}
		c.statement(query.String)
	}
	if message[0] != typeQuery && message[0] != typeCall && message[0] != typeSync {
		return c.send(message, from, to, ToServer)
	}
	e := c.open()
	c.mu.Lock()
	e.sent = true
	c.mu.Unlock()
	if err := c.send(message, from, to, ToServer); err != nil {
		return err
	}
	if len(e.afterSend) > 0 {
		if err := to.Flush(); err != nil {
			return err
		}
		c.run(e.afterSend)
	}
	return nil
}

// forwardAnswers forwards what the server sends. It reads to the end even when the client is gone, so that the server can finish.
func (c *Conn) forwardAnswers() {
	from, to := bufio.NewReader(c.server), bufio.NewWriter(c.client)
	for c.answer(from, to) == nil {
	}
	if c.pass(ToClient) {
		_ = to.Flush()
		_ = c.client.CloseWrite()
	}
}

// answer forwards the messages of the server up to the end of an answer, or as many as have arrived.
func (c *Conn) answer(from *bufio.Reader, to *bufio.Writer) error {
	var held []byte
	for {
		message, err := read(from, 1)
		if err != nil {
			return err
		}
		if message[0] == typeReady {
			e := c.answered()
			c.run(e.beforeAnswer)
			_ = c.send(append(held, message...), from, to, ToClient)
			if len(e.afterIt) > 0 {
				_ = to.Flush()
				c.run(e.afterIt)
			}
			return nil
		}
		held = append(held, message...)
		// After CopyIn the client sends data, and the answer is complete only after them.
		if !c.holds() || message[0] == typeCopyIn {
			_ = c.send(held, from, to, ToClient)
			return nil
		}
	}
}

// send writes a message once its direction is not stalled. It flushes when no further message has arrived yet.
func (c *Conn) send(message []byte, from *bufio.Reader, to *bufio.Writer, toward Direction) error {
	if !c.pass(toward) {
		return io.ErrClosedPipe
	}
	if _, err := to.Write(message); err != nil {
		c.fail(toward)
		return err
	}
	if from.Buffered() == 0 {
		if err := to.Flush(); err != nil {
			c.fail(toward)
			return err
		}
	}
	return nil
}

// fail ends the client's connection when the server is gone. When the client is gone, forwardRequests notices.
func (c *Conn) fail(toward Direction) {
	if toward == ToServer {
		c.cut()
	}
}

// read reads a message: its type of typeSize bytes, its length, its body.
func read(from *bufio.Reader, typeSize int) ([]byte, error) {
	head, err := from.Peek(typeSize + 4)
	if err != nil {
		return nil, err
	}
	size := typeSize + int(binary.BigEndian.Uint32(head[typeSize:]))
	if size < typeSize+4 || size > 1<<30 || typeSize == 0 && size < 8 {
		return nil, fmt.Errorf("message of %d bytes", size)
	}
	message := make([]byte, size)
	_, err = io.ReadFull(from, message)
	return message, err
}
