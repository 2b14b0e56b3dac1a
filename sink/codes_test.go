package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Codes and Remedies let the tests outside of the package compare the tables with a server.
func Codes() map[int32]string {
	names := map[int32]string{}
	for code, row := range retryable {
		names[code] = row.name
	}
	for code, row := range remedies {
		names[code] = row.name
	}
	return names
}

func TestEveryCodeDecides(t *testing.T) {
	t.Parallel()
	reasons := map[string]bool{}
	for code, row := range retryable {
		err := fmt.Errorf("send: %w", &clickhouse.Exception{Code: code, Name: row.name})
		reason, again := retryReason(err)
		if !again || reason != row.reason || reason == "" {
			t.Errorf("%d %s: reason %q, again %t", code, row.name, reason, again)
		}
		if _, ok := remedies[code]; ok {
			t.Errorf("%d %s is in both tables", code, row.name)
		}
		reasons[reason] = true
	}
	if len(reasons) > 10 {
		t.Errorf("%d reasons are too many for a metric's label", len(reasons))
	}
	for code, row := range remedies {
		err := fmt.Errorf("send: %w", &clickhouse.Exception{Code: code, Name: row.name})
		if reason, again := retryReason(err); again {
			t.Errorf("%d %s: is retried, reason %q", code, row.name, reason)
		}
		if row.remedy == "" || withRemedy(err).Error() == err.Error() {
			t.Errorf("%d %s: no remedy", code, row.name)
		}
	}
	for code := range stuck {
		if retryable[code].name == "" {
			t.Errorf("%d has a remedy for when it does not pass, and is not retried", code)
		}
	}
	// A code that nobody put into a table is not repeated: it may be a fault in the query.
	if _, again := retryReason(&clickhouse.Exception{Code: 62}); again {
		t.Error("a syntax error is retried")
	}
}

func TestErrorsThatAreNotTheServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		again bool
	}{
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{net.ErrClosed, true},
		{syscall.ECONNREFUSED, true},
		{syscall.ECONNRESET, true},
		{syscall.EPIPE, true},
		{os.ErrDeadlineExceeded, true},
		{context.DeadlineExceeded, true}, // what a dial that timed out claims to be
		{&net.DNSError{IsNotFound: true}, true},
		{clickhouse.ErrAcquireConnTimeout, true},
		{errors.New("attempted sending on closed connection"), true},
		{context.Canceled, false},
		{clickhouse.ErrConnectionClosed, false},
		{&ValueError{}, false},
		{&typeError{}, false},
		{tls.RecordHeaderError{}, false},
		{tls.AlertError(40), false},
		{x509.UnknownAuthorityError{}, false},
		{x509.HostnameError{Certificate: &x509.Certificate{}}, false},
		{x509.CertificateInvalidError{}, false},
	} {
		if _, again := retryReason(fmt.Errorf("send: %w", c.err)); again != c.again {
			t.Errorf("%T %v: retried %t, want %t", c.err, c.err, again, c.again)
		}
	}
}
