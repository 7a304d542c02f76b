package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// testCertificate writes the certificate of httptest and its key to files.
func testCertificate(t *testing.T) (files tlsFiles) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	pair := server.TLS.Certificates[0]
	server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	files = tlsFiles{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		files.cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, files.key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	}
	return files
}

func TestServeTLS(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	files := testCertificate(t)
	s := serve(t, "--database-url", dbtest.Empty(t), "--tls-cert", files.cert, "--tls-key", files.key)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := client.Get("https://" + s.address + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("Strict-Transport-Security"))

	require.Equal(t, "ok\n", succeed(t, "health", "--live", "--addr", s.address, "--tls-cert", files.cert))
	status, _, stderr := docket(t, "health", "--live", "--addr", s.address)
	require.Equal(t, exitFailure, status, stderr)
	status, _, stderr = docket(t, "health", "--live", "--url", "https://"+s.address)
	require.Equal(t, exitFailure, status, stderr)
	require.Contains(t, stderr, "certificate", "a URL names the server, so that its certificate is verified")
}

func TestServeRefusesCertificates(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	files := testCertificate(t)
	status, _, stderr := docket(t, "serve", "--tls-cert", files.cert)
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "--tls-cert and --tls-key are used together")
	status, _, stderr = docket(t, "serve", "--tls-cert", files.key, "--tls-key", files.key, "--database-url", "postgres://unused.invalid/x")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "TLS certificate "+files.key)
}
