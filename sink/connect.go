package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ConnectError says that the warehouse could not be opened, and what to do. It never holds the password (I10).
type ConnectError struct {
	Op   string // what was being done
	Addr string
	Hint string // what to do; empty where nothing better is known than the error itself
	Err  error
	// NoTables says that the database is missing, or none of ordersync's tables is in it.
	NoTables bool
}

func (e *ConnectError) Error() string {
	text := fmt.Sprintf("clickhouse %s: %s: %v", e.Addr, e.Op, e.Err)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

func (e *ConnectError) Unwrap() error { return e.Err }

// connectError adds address and remedy to an error of connecting.
func connectError(cfg Config, op string, err error) error {
	return &ConnectError{Op: op, Addr: strings.Join(cfg.Addr, ","), Hint: connectHint(cfg, err), Err: err}
}

// connectHint finds the remedy for the usual mistakes: server down, wrong name, wrong port, TLS on one side only, wrong
// credentials.
func connectHint(cfg Config, err error) string {
	var (
		exception *clickhouse.Exception
		dns       *net.DNSError
		record    tls.RecordHeaderError
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &exception):
		return remedyOf(exception.Code)
	case errors.As(err, &dns):
		return "the host name is not known here: check clickhouse.addr"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start ClickHouse, correct clickhouse.addr (native port: 9000, with TLS 9440), " +
			"or set clickhouse.embedded to run one here"
	case errors.As(err, &record):
		return "the server does not speak TLS on this port: use its TLS port (9440), or switch TLS off"
	case errors.As(err, &unknownCA):
		return "the server's certificate is not signed by an authority that this host trusts: install the authority's certificate"
	case errors.As(err, &hostname):
		return "the server's certificate is for another name: use that name in clickhouse.addr"
	case errors.As(err, &invalid):
		return "the server's certificate is not valid: renew it"
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time: check the address, the firewall and that the server is up"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), strings.Contains(err.Error(), "unexpected packet"):
		if cfg.Secure {
			return "the server ended the connection: check that clickhouse.addr names its native TLS port (9440)"
		}
		return "the server ended the connection: check that clickhouse.addr names its native port (9000), " +
			"not HTTP (8123) and not TLS (9440)"
	}
	return ""
}
