package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// Options of a Client: what a login brings, and what its vendor is like.
type Options struct {
	source.Options // with an Endpoint
	Credentials    keys.Credentials
	Keys           *keys.Keyring // instead of one of the Credentials, for tests

	Vendor string // the name of the source
	Path   string // "/" by default
	Codes  []Code // the vendor's error codes; the first row that fits wins
	// Sign makes a signed request for one attempt. It must be one that net/http does not send again by itself.
	Sign func(ctx context.Context, base url.URL, action string, args []Arg, key keys.Key) *http.Request
	// Parse takes an answer apart. An error means that it is not the vendor's at all, or cut.
	Parse func(body string) (Envelope, error)
	// Expand fills what a hint of the table leaves open. Optional.
	Expand func(hint, action string) string
	// Permission is the hint where permissions are refused and no code says more.
	Permission string
}

const (
	defaultTimeout  = 30 * time.Second
	defaultInFlight = 16
)

// Client makes calls for one login. It is safe for concurrent use.
type Client struct {
	Login
	o    Options
	base url.URL
}

// Login is the part of a Client that a vendor's client embeds. The rest is not for whoever holds one: what changes something
// at the vendor is bss.Canceller's alone.
type Login struct {
	name  string
	http  http.RoundTripper
	clock source.Clock
}

// New makes a Client. It makes no call. The errors of all wrong options come together, with those of the vendor's own.
func New(o Options, wrong ...error) (*Client, error) {
	if o.Keys == nil {
		var err error
		if o.Keys, err = keys.NewKeyring(o.Credentials); err != nil {
			wrong = append(wrong, fmt.Errorf("credentials: %w", err))
		}
	}
	if o.Account == "" {
		wrong = append(wrong, errors.New("account: a name is required"))
	}
	base, err := parseEndpoint(o.Endpoint)
	if err != nil {
		wrong = append(wrong, fmt.Errorf("endpoint: %w", err))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Vendor, err)
	}
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	base.Path = cmp.Or(o.Path, "/")
	c := &Client{Login: Login{name: o.Vendor + " " + o.Account + " at " + base.Host, http: o.Transport}, o: o, base: base}
	if c.http == nil {
		c.http = NewTransport(base, max(cmp.Or(o.MaxInFlight, defaultInFlight), 1), nil)
	}
	if c.o.NextVersion == nil {
		c.o.NextVersion = nextVersion
	}
	return c, nil
}

// parseEndpoint reads http(s)://host[:port].
func parseEndpoint(s string) (url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return url.URL{}, errors.New("not a URL; write https://host or http://host:port") // err repeats it, with any password
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return url.URL{}, errors.New("write https://host or http://host:port")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return url.URL{}, errors.New("only a scheme, a host and a port are allowed")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

var lastVersion atomic.Uint64

// nextVersion is a clock in nanoseconds that never returns the same time twice and never goes back.
func nextVersion() uint64 {
	now := uint64(max(time.Now().UnixNano(), 1))
	for {
		last := lastVersion.Load()
		if next := max(now, last+1); lastVersion.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Close closes connections that are not in use.
func (l *Login) Close() {
	if t, ok := l.http.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Format keeps secrets out of every print (I10).
func (l *Login) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.name) }

// String names the login and where it calls.
func (l *Login) String() string { return l.name }

// Clock is what the answers say of the vendor's clock.
func (l *Login) Clock() *source.Clock { return &l.clock }

// Request makes the request of a call with a key, as Send does.
func (c *Client) Request(ctx context.Context, action string, args []Arg, key keys.Key) *http.Request {
	return c.o.Sign(ctx, c.base, action, args, key)
}

// Send makes one attempt. An answer of HTTP 200 is an error all the same if it says so itself.
func (c *Client) Send(ctx context.Context, action string, args []Arg) (Answer, error) {
	callCtx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if callCtx.Err() != nil {
		return Answer{}, c.broken(ctx, callCtx, action, 0, callCtx.Err())
	}
	key, err := c.o.Keys.Current(callCtx)
	if err != nil {
		return Answer{}, c.keyless(ctx, callCtx, action, err)
	}
	// The vendor refuses a time that is far from its own. Where this machine's is, the first call is refused, and is signed
	// anew with what its answer has told.
	key.At = c.clock.Now()
	a := Answer{Action: action, Version: c.o.NextVersion()}
	asked := time.Now()
	// RoundTrip, not an http.Client: a redirect is not followed, and an error does not carry the URL.
	resp, err := c.http.RoundTrip(c.Request(callCtx, action, args, key))
	if err != nil {
		return Answer{}, c.broken(ctx, callCtx, action, 0, err)
	}
	c.clock.Observe(asked, time.Now(), resp.Header)
	a.Status, a.Header = resp.StatusCode, resp.Header
	a.Body, err = readBody(resp)
	a.FetchedAt = time.Now().UTC()
	good := a.Status >= 200 && a.Status < 300
	switch {
	case err != nil && callCtx.Err() != nil:
		return Answer{}, c.broken(ctx, callCtx, action, a.Status, err)
	case err != nil && good && errors.As(err, new(net.Error)): // a reset, not an end that came too early
		return Answer{}, c.broken(ctx, callCtx, action, a.Status, err)
	case err != nil && good:
		return Answer{}, c.Malformed(&a, err)
	}
	a.Envelope, err = c.o.Parse(a.Body)
	if err != nil && !good {
		a.Envelope, err = gatewayRefusal(a.Body)
	}
	switch {
	case !good:
		return Answer{}, c.refused(&a, err == nil)
	case err != nil:
		return Answer{}, c.Malformed(&a, err)
	case a.Failed:
		return Answer{}, c.refused(&a, true)
	}
	return a, nil
}

// Refuse is a call that is wrong before it is made.
func (c *Client) Refuse(action string, err error) *source.Error {
	return &source.Error{Vendor: c.o.Vendor, API: action, Account: c.o.Account, Reason: source.BadRequest, Message: err.Error()}
}
