package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/ordersync/ordersync/sync/source"
)

const (
	// maxBody is far beyond the largest page that anybody would ask for.
	maxBody = 64 << 20
	// idleTimeout is short, so that a kept connection is rarely one that the vendor has just closed. Under load
	// connections are never idle for so long.
	idleTimeout = 15 * time.Second
)

// NewTransport makes a transport that keeps one connection for each call in flight. It speaks HTTP/1.1 only: HTTP/2
// sends a request again by itself when a server says that it has not looked at it, and a gateway in between may have.
func NewTransport(dial time.Duration, inFlight int) *http.Transport {
	proxy := httpproxy.FromEnvironment().ProxyFunc() // leaves out loopback addresses
	return &http.Transport{
		Proxy:                 func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		DialContext:           (&net.Dialer{Timeout: dial, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   dial,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:          inFlight,
		MaxIdleConnsPerHost:   inFlight,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,
	}
}

var errTooLong = errors.New("the answer is longer than 64 MiB; ask for smaller pages")

// buffers for bodies: a page is read into one that has the size of earlier pages, and then copied once.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads a whole body, which the transport has decompressed if need be.
func readBody(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		const keep = 1 << 20 // a rare giant must not stay
		if buf.Cap() <= keep {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if n > maxBody {
		return "", errTooLong
	}
	return buf.String(), err
}

// isNetwork reports whether an error is the network's.
func isNetwork(err error) bool { return errors.As(err, new(net.Error)) }

// broken is a call without an answer.
func (c *Client) broken(ctx, callCtx context.Context, action string, status int, err error) *source.Error {
	e := &source.Error{Vendor: c.o.Vendor, API: action, Account: c.o.Account, HTTPStatus: status}
	var (
		op   *net.OpError
		cert *tls.CertificateVerificationError
		u    *url.Error
		n    net.Error
	)
	for errors.As(err, &u) { // its text has the URL
		err = u.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Reason, e.Err = source.Cancelled, withCause(ctx)
		return e
	case ctx.Err() != nil:
		e.Reason, e.Err = source.Timeout, withCause(ctx)
		return e
	case callCtx.Err() != nil:
		e.Reason, e.Message, e.Err = source.Timeout, "no answer within "+c.o.Timeout.String(), callCtx.Err()
		return e
	case errors.As(err, &cert):
		e.Reason = source.Unavailable
		e.Hint = "the certificate of " + c.base.Host + " is not trusted: look at the machine's clock, its CA certificates, and at proxies"
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"), strings.Contains(err.Error(), "TLS handshake timeout"):
		// A time-out of connecting is no time-out of the question: a smaller one would not help.
		e.Reason = source.Unavailable
		e.Hint = "cannot connect to " + c.base.Host + ": look at DNS, firewalls and HTTPS_PROXY"
	case errors.As(err, &n) && n.Timeout():
		e.Reason = source.Timeout
	default:
		e.Reason = source.Unavailable
	}
	e.Err = c.scrubError(err)
	return e
}

// withCause keeps why a context ended beside the fact that it did.
func withCause(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return &causedError{err, cause}
}

// causedError is a context's error, and its cause.
type causedError struct{ err, cause error }

func (e *causedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *causedError) Unwrap() []error { return []error{e.err, e.cause} }
