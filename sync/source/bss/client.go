package bss

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Vendor is the name of this source in rows, errors and metrics.
const Vendor = "bss"

// Sites. Which one an account belongs to is a property of the account, not of the regions that it uses.
const (
	China         = "china"
	International = "international"
)

// endpoints of the sites, as the vendor's SDK has them.
var endpoints = map[string]string{
	China:         "https://business.aliyuncs.com",
	International: "https://business.ap-southeast-1.aliyuncs.com",
}

// DefaultVersion is the API version that is used when none is asked for.
const DefaultVersion = "2017-12-14"

// dialect is what differs between the versions of the API.
type dialect struct {
	list, detail string // actions
	owner        string // the parameter that names whose orders are meant
}

var dialects = map[string]dialect{
	DefaultVersion: {list: "QueryOrders", detail: "GetOrderDetail", owner: "OwnerId"},
}

// ramActions are what a policy must allow for an action, as the vendor's documents of the actions say.
var ramActions = map[string]string{
	"QueryOrders":    "bss:DescribeOrderList",
	"GetOrderDetail": "bss:DescribeOrderDetail",
}

// Options of a Client. Only Account is required.
type Options struct {
	Account     string // the label of every row and error
	Site        string // China by default
	Endpoint    string // instead of the site's: http(s)://host[:port]
	APIVersion  string // DefaultVersion by default
	Credentials Credentials

	Timeout     time.Duration // of one call, all of it; 30 s by default
	DialTimeout time.Duration // of connecting, and again of the TLS handshake; 5 s by default
	MaxInFlight int           // calls at a time: as many connections are kept; 16 by default

	// Transport is for tests. It must not send a request twice: the vendor refuses a nonce that it has seen.
	Transport http.RoundTripper
	// NextVersion gives the rows of an answer their version; it is called before the request is sent, since an answer
	// is at least as new as its question. By default a clock in nanoseconds that never stands still or goes back while
	// the process lives.
	NextVersion func() uint64
}

const (
	defaultTimeout     = 30 * time.Second
	defaultDialTimeout = 5 * time.Second
	defaultInFlight    = 16
	defaultPageSize    = 20 // the vendor advises no more: bigger pages can time out
)

// Client calls the API for one login. It is safe for concurrent use.
type Client struct {
	account string
	site    string
	base    url.URL
	version string
	dialect dialect
	keys    *keyring
	http    http.RoundTripper
	timeout time.Duration
	next    func() uint64
}

var _ source.Client = (*Client)(nil)

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	o.Site = orDefault(o.Site, China)
	o.APIVersion = orDefault(o.APIVersion, DefaultVersion)
	c := &Client{
		account: o.Account,
		site:    o.Site,
		version: o.APIVersion,
		dialect: dialects[o.APIVersion],
		http:    o.Transport,
		timeout: orDefault(o.Timeout, defaultTimeout),
		next:    o.NextVersion,
	}
	var errs []error
	if o.Account == "" {
		errs = append(errs, errors.New("account: a name is required"))
	}
	if endpoints[o.Site] == "" {
		errs = append(errs, fmt.Errorf("site: %q is neither %q nor %q", o.Site, China, International))
	}
	if c.dialect == (dialect{}) {
		errs = append(errs, fmt.Errorf("api_version: %q is not supported; use %q", o.APIVersion, DefaultVersion))
	}
	base, err := parseEndpoint(orDefault(o.Endpoint, endpoints[o.Site]))
	if err != nil && endpoints[o.Site] != "" {
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	}
	c.base = base
	if c.keys, err = newKeyring(o.Credentials); err != nil {
		errs = append(errs, fmt.Errorf("credentials: %w", err))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("bss: %w", errors.Join(errs...))
	}
	if c.http == nil {
		c.http = newTransport(orDefault(o.DialTimeout, defaultDialTimeout), max(orDefault(o.MaxInFlight, defaultInFlight), 1))
	}
	if c.next == nil {
		c.next = tickClock
	}
	return c, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
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
	return url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}, nil
}

var lastTick atomic.Uint64

// tickClock is a clock in nanoseconds that never gives the same time twice and never goes back.
func tickClock() uint64 {
	now := uint64(max(time.Now().UnixNano(), 1))
	for {
		last := lastTick.Load()
		if next := max(now, last+1); lastTick.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Close closes connections that are not in use.
func (c *Client) Close() {
	if t, ok := c.http.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Format keeps secrets out of every print (I10).
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the login and where it calls.
func (c *Client) String() string { return "bss " + c.account + " at " + c.base.Host }

// List asks for one page of the listing.
func (c *Client) List(ctx context.Context, q source.Query) (source.Page, error) {
	args, err := c.owned(q.OwnerID)
	if err != nil {
		return source.Page{}, c.refuse(c.dialect.list, err)
	}
	size := q.Size
	if size <= 0 {
		size = defaultPageSize
	}
	start, end := wholeSeconds(q.Start, q.End)
	if !q.Start.IsZero() {
		args = append(args, arg{"CreateTimeStart", start})
	}
	if !q.End.IsZero() {
		args = append(args, arg{"CreateTimeEnd", end})
	}
	if q.PaymentStatus != "" {
		args = append(args, arg{"PaymentStatus", q.PaymentStatus})
	}
	args = append(args, arg{"PageNum", strconv.Itoa(max(q.Page, 1))}, arg{"PageSize", strconv.Itoa(size)})
	a, err := c.send(ctx, c.dialect.list, args)
	if err != nil {
		return source.Page{}, err
	}
	page, err := a.page(schema.Lane{Source: Vendor, Account: c.account, OwnerID: q.OwnerID}, size)
	if err != nil {
		return source.Page{}, c.malformed(a, err)
	}
	return page, nil
}

// Detail asks for the lines of one order.
func (c *Client) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	args, err := c.owned(ownerID)
	if err == nil && orderID == "" {
		err = errors.New("an order id is required")
	}
	if err != nil {
		return source.Detail{}, c.refuse(c.dialect.detail, err)
	}
	a, err := c.send(ctx, c.dialect.detail, append(args, arg{"OrderId", orderID}))
	if err != nil {
		return source.Detail{}, err
	}
	d, err := a.detail(schema.Lane{Source: Vendor, Account: c.account, OwnerID: ownerID}, orderID)
	switch {
	case errors.Is(err, errNoLines):
		return source.Detail{}, c.notFound(a, orderID)
	case err != nil:
		return source.Detail{}, c.malformed(a, err)
	}
	return d, nil
}

// owned starts the arguments of a call about somebody's orders. The vendor's owner ids are int64.
func (c *Client) owned(id string) ([]arg, error) {
	args := make([]arg, 0, 8)
	if id == "" {
		return args, nil
	}
	if _, err := strconv.ParseUint(id, 10, 63); err != nil || strings.HasPrefix(id, "+") {
		return nil, fmt.Errorf("owner id %q is not a number", id)
	}
	return append(args, arg{c.dialect.owner, id}), nil
}

// arg is one argument of a call.
type arg struct{ name, value string }

func sortArgs(args []arg) {
	slices.SortFunc(args, func(a, b arg) int { return strings.Compare(a.name, b.name) })
}
