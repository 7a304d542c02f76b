package postgres

import "context"

// kept is the connection of a Pool that Keep returns.
type kept struct{ conn *Conn } // nil: none yet, or the last one broke

// Keep returns a Pool that acquires one connection of a writer and uses it for everything, until LetGo, which its caller must call.
// A connection that breaks is replaced by another one. It is for one goroutine, and for one statement or transaction at a time:
// work of several transactions need not wait for a connection again.
func (p *Pool) Keep() *Pool {
	keeping := *p
	keeping.kept = &kept{}
	return &keeping
}

// LetGo releases the connection that a Pool of Keep has, if any.
func (p *Pool) LetGo() {
	if conn := p.kept.conn; conn != nil {
		p.kept.conn = nil
		conn.Release()
	}
}

// acquireKept returns the connection of a Pool of Keep.
func (p *Pool) acquireKept(ctx context.Context) (*Conn, error) {
	if p.kept.conn == nil {
		conn, err := p.acquireNew(ctx, true)
		if err != nil {
			return nil, err
		}
		p.kept.conn = conn
	}
	return &Conn{poolConn: p.kept.conn.poolConn, pool: p, gate: p.gate, kept: true}, nil
}

// giveBack keeps a connection that another statement can use.
func (p *Pool) giveBack() {
	if p.kept.conn == nil {
		return
	}
	session := p.kept.conn.Conn().PgConn()
	if session.IsClosed() || session.IsBusy() || session.TxStatus() != 'I' {
		p.LetGo() // pgxpool closes it
	}
}
