// Package dsapp is the client of the data-sources application, from which follows come. It does not store anything.
package dsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Config says where the application is and how long to wait for it. Times and numbers that are 0 get the defaults below.
type Config struct {
	Address string // such as https://data-sources.example.org/api
	Token   string // of this service, sent as a bearer token

	Timeout  time.Duration // of one attempt, with the time to read the response
	Attempts int
	WaitMin  time.Duration // before the second attempt; it doubles with each attempt
	WaitMax  time.Duration // the longest wait between two attempts; no attempt follows if the application asks for a longer one
	MaxBytes int64         // the largest response
}

// The defaults. All attempts take less than four minutes.
const (
	defaultTimeout  = 30 * time.Second
	defaultAttempts = 5
	defaultWaitMin  = time.Second
	defaultWaitMax  = 20 * time.Second
	defaultMaxBytes = 32 << 20 // about 700,000 follows
)

// Client sends requests to the application. It is safe for concurrent use.
type Client struct {
	http   *retryablehttp.Client
	config Config
	base   *url.URL
}

// New returns a Client. It fails if the address is not one of HTTP, or contains a password, a query or a fragment, and if the
// token cannot be sent. The error does not contain the token.
func New(config Config) (*Client, error) {
	base, err := url.Parse(config.Address)
	switch {
	case err != nil:
		return nil, errors.New("the address of the data-sources application is not a URL") // err may quote a password
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, errors.New("the address of the data-sources application does not begin with https:// or http:// and a host")
	case base.User != nil:
		return nil, errors.New("the address of the data-sources application contains a user: give the token instead")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the address of the data-sources application contains a query or a fragment")
	case config.Token == "":
		return nil, errors.New("the token for the data-sources application is missing")
	case strings.ContainsFunc(config.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token for the data-sources application contains a character that no token has, such as a line break")
	}
	setDefault(&config.Timeout, defaultTimeout)
	setDefault(&config.Attempts, defaultAttempts)
	setDefault(&config.WaitMin, defaultWaitMin)
	setDefault(&config.WaitMax, defaultWaitMax)
	setDefault(&config.MaxBytes, defaultMaxBytes)
	c := &Client{http: retryablehttp.NewClient(), config: config, base: base}
	c.http.Logger = nil
	c.http.HTTPClient.Timeout = config.Timeout
	// A redirect is an error of the configuration. Another host must not get the token.
	c.http.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http.RetryMax, c.http.RetryWaitMin, c.http.RetryWaitMax = config.Attempts-1, config.WaitMin, config.WaitMax
	c.http.CheckRetry = c.checkRetry
	c.http.ErrorHandler = failed
	return c, nil
}

func setDefault[T int | int64 | time.Duration](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// permanent is an error that another attempt would not change.
type permanent struct{ error }

func (e permanent) Unwrap() error { return e.error }

// get sends a GET request until it gets a response, and passes the body to decode. It retries after a status from 500, except 501,
// after 429, and when the connection breaks, also within the body.
func (c *Client) get(ctx context.Context, path string, decode func(body []byte) error) error {
	address := c.base.JoinPath(path)
	err := c.send(ctx, address.String(), decode)
	if err != nil {
		return c.withoutToken(fmt.Errorf("request %s: %w", address, err))
	}
	return nil
}

func (c *Client) send(ctx context.Context, address string, decode func(body []byte) error) error {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.config.Token)
	req.Header.Set("Accept", "application/json")
	req.SetResponseHandler(func(resp *http.Response) error {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return permanent{statusError(resp)}
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, c.config.MaxBytes+1))
		switch {
		case err != nil:
			return fmt.Errorf("read response: %w", err)
		case int64(len(body)) > c.config.MaxBytes:
			return permanent{fmt.Errorf("the response has more than %d bytes", c.config.MaxBytes)}
		}
		if err := decode(body); err != nil {
			return permanent{err}
		}
		return nil
	})
	_, err = c.http.Do(req)
	return err
}

// checkRetry reports whether another attempt makes sense.
func (c *Client) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, final := errors.AsType[permanent](err); final || resp != nil && askedWait(resp) > c.config.WaitMax {
		return false, nil
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// askedWait is the wait that a response asks for in Retry-After.
func askedWait(resp *http.Response) time.Duration { return retryablehttp.DefaultBackoff(0, 0, 0, resp) }

// failed describes the last attempt. It never quotes a body, which may be a page of a proxy.
func failed(resp *http.Response, err error, attempts int) (*http.Response, error) {
	if resp != nil {
		_ = resp.Body.Close()
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // the caller names the address
	}
	if err == nil {
		err = statusError(resp)
	}
	if attempts > 1 {
		err = fmt.Errorf("%w; gave up after %d attempts", err, attempts)
	}
	return nil, err
}

func statusError(resp *http.Response) error {
	reason := ""
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		reason = ": the token is not accepted"
	case code >= 300 && code < 400:
		reason = ": configure the address that this one redirects to"
		if location, err := resp.Location(); err == nil {
			reason += ", at " + location.Scheme + "://" + location.Host
		}
	case askedWait(resp) > 0:
		reason = ": asks to wait for " + askedWait(resp).Round(time.Second).String()
	}
	return fmt.Errorf("status %d %s%s", resp.StatusCode, http.StatusText(resp.StatusCode), reason)
}

// withoutToken returns an error whose text does not contain the token, which a server may repeat in what it sends.
func (c *Client) withoutToken(err error) error {
	if text := err.Error(); strings.Contains(strings.ToLower(text), strings.ToLower(c.config.Token)) {
		return errors.New("the response of the data-sources application repeats the token, so its error is not shown")
	}
	return err
}
