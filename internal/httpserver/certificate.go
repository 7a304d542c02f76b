package httpserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// certificateInterval is how long a certificate is served before its files are read again.
const certificateInterval = time.Second

// Certificate is a certificate chain and its key in two PEM files, which may be replaced while it is served. It compares the
// contents of the files and not their times, which a program that links another directory, or writes two times within a tick, does
// not change.
type Certificate struct {
	certFile, keyFile string
	clock             func() time.Time
	log               *zap.Logger

	current atomic.Pointer[tls.Certificate]

	reading sync.Mutex // guards what follows
	read    time.Time  // when the files were read
	pair    [2][]byte  // the contents of current
	problem string     // why the files cannot be served, "" when they are
}

// LoadCertificate reads the files. It is an error when they are no pair. A certificate that is not valid at the time of clock is
// served, and logged as a warning.
func LoadCertificate(certFile, keyFile string, clock func() time.Time, log *zap.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, clock: clock, log: log, read: clock()}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns the configuration of a server with the certificate: TLS 1.2 or newer.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get returns the certificate for a new connection. At most once in certificateInterval, one connection reads the files for all.
// When they are no pair, as while they are being written, the last pair stays and the reason is logged once.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.reading.TryLock() {
		defer c.reading.Unlock()
		if now := c.clock(); now.Sub(c.read) >= certificateInterval {
			c.read = now
			c.reload()
		}
	}
	return c.current.Load(), nil
}

func (c *Certificate) reload() {
	before := c.current.Load()
	err := c.load()
	switch {
	case err != nil && err.Error() != c.problem:
		c.problem = err.Error()
		c.log.Error("TLS certificate not reloaded, the one before is served", zap.Error(err))
	case err == nil:
		c.problem = ""
		if leaf := c.current.Load().Leaf; before != c.current.Load() {
			c.log.Info("TLS certificate reloaded", zap.Time("not_after", leaf.NotAfter))
		}
	}
}

// load makes the pair in the files the current one, unless it is that already.
func (c *Certificate) load() error {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return fmt.Errorf("read TLS certificate: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return fmt.Errorf("read TLS key: %w", err)
	}
	if bytes.Equal(cert, c.pair[0]) && bytes.Equal(key, c.pair[1]) {
		return nil
	}
	loaded, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("TLS certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	if loaded.Leaf == nil { // GODEBUG x509keypairleaf=0
		return errors.New("the TLS certificate was not parsed")
	}
	switch now := c.clock(); {
	case now.After(loaded.Leaf.NotAfter):
		c.log.Warn("the TLS certificate has expired: clients will refuse it; replace its files, which are read again by themselves",
			zap.String("file", c.certFile), zap.Time("not_after", loaded.Leaf.NotAfter))
	case now.Before(loaded.Leaf.NotBefore):
		c.log.Warn("the TLS certificate is not yet valid: clients will refuse it; check the clock of this machine",
			zap.String("file", c.certFile), zap.Time("not_before", loaded.Leaf.NotBefore))
	}
	c.pair = [2][]byte{cert, key}
	c.current.Store(&loaded)
	return nil
}
