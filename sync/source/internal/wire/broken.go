package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ordersync/ordersync/sync/source"
)

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
	return fmt.Errorf("%w: %w", err, cause)
}
