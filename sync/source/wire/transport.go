package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// idleTimeout is short, so that a kept connection is rarely one that the vendor has just closed. Under load
	// connections are never idle for so long.
	idleTimeout = 15 * time.Second
	// idleTrusted is how long a connection may be idle and is used without a look whether the vendor has closed it.
	idleTrusted = time.Second
	maxHeader   = 1 << 20
)

// NewTransport makes a transport for one host that keeps one connection for each call in flight. It speaks HTTP/1.1 only:
// HTTP/2 sends a request again by itself when a server says that it has not looked at it, and a gateway in between may
// have. config is for tests; nil trusts what the system trusts.
//
// Where the environment says that the host is reached through a proxy, it is net/http's own.
func NewTransport(base url.URL, dial time.Duration, inFlight int, config *tls.Config) http.RoundTripper {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	dialer := net.Dialer{Timeout: dial, KeepAlive: 30 * time.Second}
	proxy := httpproxy.FromEnvironment().ProxyFunc() // leaves out loopback addresses
	if p, err := proxy(&base); p != nil || err != nil {
		return &http.Transport{
			Proxy:               func(*http.Request) (*url.URL, error) { return p, err },
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: dial,
			TLSClientConfig:     config,
			MaxIdleConns:        inFlight,
			MaxIdleConnsPerHost: inFlight,
			IdleConnTimeout:     idleTimeout,
		}
	}
	t := &direct{dialer: dialer, addr: net.JoinHostPort(base.Hostname(), OrDefault(base.Port(), "80")), keep: inFlight}
	if base.Scheme == "https" {
		t.addr = net.JoinHostPort(base.Hostname(), OrDefault(base.Port(), "443"))
		t.tls = config.Clone()
		t.tls.ServerName = base.Hostname()
	}
	return t
}

// direct is the way to a host without a proxy: whoever makes a call writes the request and reads the answer himself.
// net/http does that in two goroutines for each connection, which costs more CPU than all the rest of a call, and it sends
// requests again by itself. This sends each once: a connection that turns out to be closed is an error, and it is the
// caller's business to sign anew.
type direct struct {
	dialer net.Dialer
	addr   string
	tls    *tls.Config // nil for http
	keep   int         // idle connections at most

	mu   sync.Mutex
	idle []*conn // the one used last at the end
}

// conn is a connection that is made, and the body of the answer that is read from it.
type conn struct {
	net.Conn
	limited io.LimitedReader // what the header of an answer may still take
	r       *bufio.Reader
	out     []byte    // the last request, whose memory the next one uses
	since   time.Time // idle since then
}

// RoundTrip is part of http.RoundTripper. The request's context bounds all of it, the reading of the body included.
func (t *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := t.take(r.Context())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(r.Context(), func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	resp, err := c.ask(r)
	if err != nil {
		stop()
		_ = c.Close()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, t: t, c: c, stop: stop, left: resp.Close, whole: resp.ContentLength == 0}
	return resp, nil
}

// ask sends the request and reads the answer up to its body.
func (c *conn) ask(r *http.Request) (*http.Response, error) {
	if err := c.send(r); err != nil {
		return nil, err
	}
	c.limited.N = maxHeader
	defer func() { c.limited.N = math.MaxInt64 }()
	for {
		resp, err := readResponse(c.r, r)
		if err == nil && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue // only says that the answer will come
		}
		return resp, err
	}
}

func (c *conn) send(r *http.Request) error {
	out, ok := appendRequest(c.out[:0], r)
	c.out = out
	if !ok {
		return r.Write(c) // tells who traces it, too
	}
	_, err := c.Write(out)
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	return err
}

// body is an answer's. Its Close gives the connection back if all of it was read.
type body struct {
	io.ReadCloser
	t     *direct
	c     *conn
	stop  func() bool
	left  bool // the host ends the connection after this answer
	whole bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.whole = b.whole || err == io.EOF
	return n, err
}

func (b *body) Close() error {
	if b.c == nil {
		return nil
	}
	c := b.c
	b.c = nil
	// The order matters: what ends with the context must have ended before somebody else uses the connection.
	if b.stop() && b.whole && !b.left && c.r.Buffered() == 0 {
		b.t.put(c)
		return nil
	}
	return c.Close()
}

// take gives a connection that nobody uses, or makes one.
func (t *direct) take(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		t.mu.Lock()
		n := len(t.idle)
		if n == 0 {
			t.mu.Unlock()
			return t.connect(ctx)
		}
		c := t.idle[n-1]
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		if c.alive() {
			return c, nil
		}
		_ = c.Close()
	}
}

// alive reports whether the host still keeps an idle connection, as far as that is known here.
func (c *conn) alive() bool {
	idle := time.Since(c.since)
	if idle < idleTrusted {
		return true
	}
	if idle > idleTimeout {
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.r.Peek(1)
	_ = c.SetReadDeadline(time.Time{})
	var n net.Error
	return errors.As(err, &n) && n.Timeout() // neither bytes nor an end
}

func (t *direct) put(c *conn) {
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) < t.keep {
		t.idle = append(t.idle, c)
		return
	}
	_ = c.Close()
}

func (t *direct) connect(ctx context.Context) (*conn, error) {
	raw, err := t.dialer.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	if t.tls != nil {
		secure := tls.Client(raw, t.tls)
		shake, cancel := context.WithTimeout(ctx, t.dialer.Timeout)
		defer cancel()
		if err := secure.HandshakeContext(shake); err != nil {
			_ = raw.Close()
			if shake.Err() != nil && ctx.Err() == nil {
				err = &net.OpError{Op: "dial", Net: "tcp", Addr: raw.RemoteAddr(), Err: errors.New("TLS handshake timeout")}
			}
			return nil, err
		}
		raw = secure
	}
	return newConn(raw), nil
}

func newConn(raw net.Conn) *conn {
	c := &conn{Conn: raw}
	c.limited = io.LimitedReader{R: raw, N: math.MaxInt64}
	c.r = bufio.NewReader(&c.limited)
	return c
}

// CloseIdleConnections closes the connections that nobody uses.
func (t *direct) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.idle {
		_ = c.Close()
	}
	t.idle = nil
}
