package httpserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sync/errgroup"

	"docket/internal/httpserver"
)

var certifiedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// pair returns a certificate with a serial number, valid for a day, and its key.
func pair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "docket"}, DNSNames: []string{"docket.test"},
		NotBefore: certifiedAt.Add(-12 * time.Hour), NotAfter: certifiedAt.Add(12 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// certified is a server with a certificate, whose clock moves by hand.
type certified struct {
	certFile, keyFile string
	address           string
	now               atomic.Pointer[time.Time]
	logs              *observer.ObservedLogs
}

func newCertified(t *testing.T) *certified {
	dir := t.TempDir()
	core, logs := observer.New(zap.WarnLevel)
	c := &certified{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), logs: logs}
	c.now.Store(&certifiedAt)
	cert, key := pair(t, 1)
	c.write(t, cert, key)
	certificate, err := httpserver.LoadCertificate(c.certFile, c.keyFile, func() time.Time { return *c.now.Load() }, zap.New(core))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var group errgroup.Group
	c.address, err = httpserver.Serve(ctx, &group, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}), limits, certificate.Config(), zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		require.NoError(t, group.Wait())
	})
	return c
}

func (c *certified) write(t *testing.T, cert, key []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(c.certFile, cert, 0o600))
	require.NoError(t, os.WriteFile(c.keyFile, key, 0o600))
}

// after moves the clock and returns the serial number that a new connection then gets.
func (c *certified) after(t *testing.T, passed time.Duration) int64 {
	t.Helper()
	now := c.now.Load().Add(passed)
	c.now.Store(&now)
	conn, err := tls.Dial("tcp", c.address, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A server follows its files without a restart. It keeps the last pair while they are no pair, and reports that one time.
func TestCertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	c := newCertified(t)
	require.EqualValues(t, 1, c.after(t, 0))
	cert, key := pair(t, 2)
	require.NoError(t, os.WriteFile(c.certFile, cert, 0o600))
	require.EqualValues(t, 1, c.after(t, 500*time.Millisecond), "the files were read in this second")
	require.Zero(t, c.logs.Len())
	for range 3 {
		require.EqualValues(t, 1, c.after(t, time.Second), "only one file has been written")
	}
	require.Equal(t, 1, c.logs.Len(), c.logs.All())
	require.Contains(t, c.logs.All()[0].ContextMap()["error"], "private key does not match public key")
	require.NoError(t, os.WriteFile(c.keyFile, key[:len(key)/2], 0o600))
	require.EqualValues(t, 1, c.after(t, time.Second), "half of the key has been written")
	require.NoError(t, os.WriteFile(c.keyFile, key, 0o600))
	require.EqualValues(t, 2, c.after(t, time.Second))
	require.NoError(t, os.Remove(c.certFile))
	require.EqualValues(t, 2, c.after(t, time.Second))
	require.Equal(t, 3, c.logs.Len(), c.logs.All())

	// Kubernetes and certbot replace a link to a file or its directory.
	cert, key = pair(t, 3)
	next := newCertified(t)
	next.write(t, cert, key)
	require.NoError(t, os.Symlink(next.certFile, c.certFile))
	require.NoError(t, os.Remove(c.keyFile))
	require.NoError(t, os.Symlink(next.keyFile, c.keyFile))
	require.EqualValues(t, 3, c.after(t, time.Second))
	require.EqualValues(t, 3, c.after(t, 24*time.Hour), "an expired certificate is better than none")
}

func TestCertificateProtocols(t *testing.T) {
	t.Parallel()
	c := newCertified(t)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get("https://" + c.address)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "HTTP/2.0", string(body))
	_, err = tls.Dial("tcp", c.address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.ErrorContains(t, err, "protocol version")
}

func TestLoadCertificateRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := pair(t, 1)
	_, otherKey := pair(t, 2)
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	certFile, keyFile, other := file("cert", cert), file("key", key), file("other", otherKey)
	core, logs := observer.New(zap.WarnLevel)
	load := func(certFile, keyFile string, passed time.Duration) error {
		_, err := httpserver.LoadCertificate(certFile, keyFile, func() time.Time { return certifiedAt.Add(passed) }, zap.New(core))
		return err
	}
	require.ErrorContains(t, load(certFile, other, 0), "private key does not match public key")
	require.ErrorContains(t, load(keyFile, certFile, 0), keyFile)
	require.ErrorContains(t, load(file("empty", nil), keyFile, 0), "empty")
	require.ErrorContains(t, load(filepath.Join(dir, "missing"), keyFile, 0), "read TLS certificate")
	require.ErrorContains(t, load(certFile, filepath.Join(dir, "missing"), 0), "read TLS key")
	require.Zero(t, logs.Len())
	require.NoError(t, load(certFile, keyFile, 24*time.Hour))
	require.NoError(t, load(certFile, keyFile, -24*time.Hour))
	require.Equal(t, 1, logs.FilterMessageSnippet("has expired").Len())
	require.Equal(t, 1, logs.FilterMessageSnippet("not yet valid").Len())
}

// A client that sends more headers than any browser gets 431.
func TestServeLimitsHeaders(t *testing.T) {
	t.Parallel()
	c := newCertified(t)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	request, err := http.NewRequest(http.MethodGet, "https://"+c.address, nil)
	require.NoError(t, err)
	request.Header.Set("X", strings.Repeat("x", 80<<10))
	response, err := (&http.Client{Transport: transport}).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
}
