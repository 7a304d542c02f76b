// Package faultproxy is a proxy between a client and PostgreSQL that breaks connections on purpose. It reads enough of the
// protocol to know which statement a connection runs, and when the server has executed it. Only tests import it.
//
// A test routes the client through a proxy, and sets rules while the client works:
//
//	proxy := faultproxy.New(t, dbtest.URL(t))
//	pool, err := postgres.Open(ctx, postgres.PoolConfig{URL: proxy.URL()})
//	...
//	// The server commits, and the client cannot know it.
//	proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Cut, Times: 1})
//
// A statement outside a transaction block has no COMMIT: the server commits it with the Sync that follows. The same fault for such
// a statement is a rule that matches its text, also at BeforeAnswer.
//
// The proxy speaks TCP with the client, and TCP or a unix socket with the server. The kernel of the client's host still
// acknowledges what a stalled connection sends, so that TCP_USER_TIMEOUT of the client does not notice the stall.
package faultproxy
