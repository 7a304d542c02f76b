package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"docket/internal/auth"
)

// keySetConfig is about an issuer of tokens that signs with keys of its own.
type keySetConfig struct{ url, issuer, audience string }

func addKeySetFlags(flags *pflag.FlagSet, keys *keySetConfig) {
	flags.StringVar(&keys.url, "jwks-url", "",
		"`URL` of the public keys of --jwks-issuer: accept its tokens too, signed by RS256 or ES256")
	flags.StringVar(&keys.issuer, "jwks-issuer", "",
		"claim iss of the tokens that the keys of --jwks-url verify; tokens of all others need the key of Docket")
	flags.StringVar(&keys.audience, "jwks-audience", "",
		"claim aud that the tokens of --jwks-issuer must contain; without it they must have none")
}

func (k keySetConfig) check() error {
	if k.url == "" && (k.issuer != "" || k.audience != "") {
		return usageError{errors.New("--jwks-url is missing: --jwks-issuer and --jwks-audience need it")}
	}
	if k.url == "" {
		return nil
	}
	if err := auth.CheckKeySetURL(k.url); err != nil {
		return usageError{fmt.Errorf("--jwks-url: %w", err)}
	}
	if k.issuer == "" {
		return usageError{errors.New("--jwks-issuer is missing: name the claim iss of the tokens that the keys of --jwks-url verify")}
	}
	return nil
}

// open returns the keys, nil when there is no address of them. It tries to fetch them, so that a wrong address is logged at the
// start.
func (k keySetConfig) open(log *zap.Logger) (*auth.KeySet, error) {
	if k.url == "" {
		return nil, nil
	}
	keys, err := auth.NewKeySet(k.url, k.issuer, k.audience, time.Now, func(err error) {
		log.Error("keys of tokens not fetched, those before stay in use for a day", zap.Error(err))
	})
	if err != nil {
		return nil, err
	}
	keys.Fetch()
	return keys, nil
}
