package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// mostHealthBytes is more than the body of /healthz or /readyz has.
const mostHealthBytes = 1 << 20

type healthConfig struct {
	addr    string
	url     string
	live    bool
	tlsCert string
	timeout time.Duration
}

func healthCommand() *cobra.Command {
	cfg := &healthConfig{}
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running docket serve whether it can serve requests",
		Long: `Ask a running docket serve whether it can serve requests, or with --live whether its process is alive, for the health checks of
containers and load balancers. It asks the address in --addr, whose variable is that of docket serve, or --url. With --tls-cert,
or its variable, it asks --addr with TLS and accepts any certificate, because the address need not be a name in it.

Exit status 1: it cannot, or there was no answer.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := cfg.target()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), cfg.timeout)
			defer cancel()
			if err := askHealth(ctx, target, cfg.url == ""); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	flags := cmd.Flags()
	addAddrFlag(flags, &cfg.addr)
	flags.StringVar(&cfg.url, "url", "", "`URL` below which the instance serves, such as https://docket.example.org; instead of --addr")
	flags.StringVar(&cfg.tlsCert, "tls-cert", "", "`file` of docket serve, which then serves TLS; it is not read here")
	flags.BoolVar(&cfg.live, "live", false, "ask only whether the process is alive, which does not depend on the database")
	flags.DurationVar(&cfg.timeout, "timeout", 5*time.Second, "longest time to wait for the answer")
	return cmd
}

// target returns the URL to ask. An address that servers listen on need not be one that clients can connect to.
func (cfg *healthConfig) target() (string, error) {
	path := "readyz"
	if cfg.live {
		path = "healthz"
	}
	if cfg.timeout <= 0 {
		return "", usageError{fmt.Errorf("--timeout: %s is not more than 0", cfg.timeout)}
	}
	if cfg.url != "" {
		base, err := url.Parse(cfg.url)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return "", usageError{fmt.Errorf("--url: %q is not a URL such as http://127.0.0.1:8080", cfg.url)}
		}
		return base.JoinPath(path).String(), nil
	}
	host, port, err := net.SplitHostPort(cfg.addr)
	if err != nil {
		return "", usageError{fmt.Errorf("--addr: %w", err)}
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	scheme := "http"
	if cfg.tlsCert != "" {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/" + path}).String(), nil
}

// askHealth returns nil if the answer has status 200. The request contains no secrets.
func askHealth(ctx context.Context, target string, anyCertificate bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	// Neither a proxy in the environment nor a redirection is the instance that was asked about.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: anyCertificate}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostHealthBytes))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", target, err)
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	problem := struct{ Detail string }{}
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		return fmt.Errorf("%s: %w", resp.Status, errors.New(visible(problem.Detail)))
	}
	return fmt.Errorf("%s answered %s", target, resp.Status)
}
