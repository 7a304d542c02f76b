package main

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"docket/internal/httpserver"
)

// tlsFiles are the files with which the REST interface is served over TLS.
type tlsFiles struct{ cert, key string }

func addTLSFlags(flags *pflag.FlagSet, files *tlsFiles) {
	flags.StringVar(&files.cert, "tls-cert", "",
		"PEM `file` with the certificate of --addr and those that signed it: serve TLS; it is read again when it changes")
	flags.StringVar(&files.key, "tls-key", "", "PEM `file` with the key of --tls-cert; it is read again when it changes")
}

func (f tlsFiles) check() error {
	if (f.cert == "") != (f.key == "") {
		return usageError{errors.New("--tls-cert and --tls-key are used together: name both files, or none to serve without TLS")}
	}
	return nil
}

// load returns the configuration of a server with the certificate, nil without one.
func (f tlsFiles) load(log *zap.Logger) (*tls.Config, error) {
	if f.cert == "" {
		return nil, nil
	}
	certificate, err := httpserver.LoadCertificate(f.cert, f.key, time.Now, log)
	if err != nil {
		return nil, err
	}
	return certificate.Config(), nil
}

// baseURL returns the URL of an address that is served with a configuration.
func baseURL(addr string, secure *tls.Config) string {
	if secure != nil {
		return "https://" + addr
	}
	return "http://" + addr
}
