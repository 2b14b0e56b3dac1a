package sink

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v4"
)

// retryPolicy repeats what failed for a reason that passes. It only decorates: what is done, and what is permanent, is
// said elsewhere.
type retryPolicy struct {
	maxElapsed time.Duration
	log        *slog.Logger
}

// Bounds of the waits between tries; jitter is the library's, half of the wait in both directions.
const (
	firstWait = 200 * time.Millisecond
	maxWait   = 15 * time.Second
)

// do calls op until it succeeds, fails for good, or the time is up, which counts from the first failure: a try may take
// minutes by itself where nobody answers. tell is told of each failure that is followed by another try. The backoff is made
// anew for each call: it is not safe to share.
func (p retryPolicy) do(ctx context.Context, tell func(reason string, err error, next time.Duration), op func() error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait),
		backoff.WithMaxInterval(maxWait),
		backoff.WithMaxElapsedTime(p.maxElapsed),
	)
	var last error
	var reason string // of the last try; empty where it would fail in the same way again
	err := backoff.RetryNotify(func() error {
		err := op()
		if err == nil {
			return nil
		}
		var permanent *backoff.PermanentError // op knows better
		if errors.As(err, &permanent) {
			reason = ""
			return err
		}
		if reason, _ = retryReason(err); reason == "" || ctx.Err() != nil {
			reason = ""
			return backoff.Permanent(err)
		}
		if last == nil {
			wait.Reset()
		}
		last = err
		return err
	}, backoff.WithContext(wait, ctx), func(err error, next time.Duration) { tell(reason, err, next) })
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && last != nil:
		// Stopped while waiting: both belong into the message, why it ended and what it was waiting for.
		return fmt.Errorf("%w (while retrying: %v)", context.Cause(ctx), last)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if reason != "" {
		return fmt.Errorf("given up after %s, reason %s: %w", p.maxElapsed, reason, withRemedy(err))
	}
	return withRemedy(err)
}

// tell logs failures that are followed by another try.
func (p retryPolicy) tell(ctx context.Context, message string, attrs ...any) func(reason string, err error, next time.Duration) {
	return func(reason string, err error, next time.Duration) {
		p.log.WarnContext(ctx, message, append(attrs, "reason", reason, "in", next.Round(time.Millisecond), "error", err)...)
	}
}

// retryReason says whether an error passes by itself, and the label under which it is counted.
func retryReason(err error) (reason string, again bool) {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		row, ok := retryable[exception.Code]
		return row.reason, ok
	}
	if permanent(err) {
		return "", false
	}
	// Everything else comes from the connection: refused, reset, closed, timed out, a packet cut in half. Sending the
	// block once more is harmless, giving up is not.
	return reasonNetwork, true
}

// permanent reports whether an error that is not the server's own will be the same the next time.
func permanent(err error) bool {
	var (
		value     *ValueError
		column    *typeError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		scan      *scanError
	)
	// Not context.DeadlineExceeded: a dial that timed out claims to be one. Whether the caller's own deadline is past, do
	// asks the context itself.
	return errors.Is(err, context.Canceled) ||
		errors.Is(err, clickhouse.ErrConnectionClosed) || // the sink itself was closed
		errors.As(err, &value) || errors.As(err, &column) || errors.As(err, &scan) ||
		errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &unknownCA) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// withRemedy adds to a server's error what a person can do about it.
func withRemedy(err error) error {
	var exception *clickhouse.Exception
	var connect *ConnectError // has its own
	if !errors.As(err, &connect) && errors.As(err, &exception) {
		if remedy := remedyOf(exception.Code); remedy != "" {
			return fmt.Errorf("%w: %s", err, remedy)
		}
	}
	return err
}

// remedyOf is what a person can do about a server's error; empty where nothing is known.
func remedyOf(code int32) string { return cmp.Or(remedies[code].remedy, stuck[code]) }
