package domain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// Vendor is the name of this source in rows, errors and metrics.
const Vendor = "domain"

const (
	endpoint         = "https://domain.aliyuncs.com"
	version          = "2016-05-11"
	signatureVersion = "1.0"
	queryOrder       = "QueryOrder"
)

// RAMAction and RAMResource are what a RAM policy must allow. They are the vendor's policy for reading domain names: its
// documents name no narrower action for QueryOrder.
const (
	RAMAction   = "domain:Query*"
	RAMResource = "acs:domain:*:*:*"
)

// Formats of answers.
const (
	JSON = "JSON" // by default
	XML  = "XML"
)

// Options of a Client. Only Account is required.
type Options struct {
	Account     string // the label of every row and error
	Endpoint    string // instead of the vendor's: http(s)://host[:port]
	Credentials keys.Credentials
	Location    *time.Location // of times, which name no zone; UTC+8 by default
	Format      string         // JSON by default

	Timeout     time.Duration // of one call, all of it; 30 s by default
	DialTimeout time.Duration // of connecting, and again of the TLS handshake; 5 s by default
	MaxInFlight int           // calls at a time: as many connections are kept; 16 by default

	// Transport is for tests. It must not send a request twice.
	Transport http.RoundTripper
	// NextVersion returns the rows of an answer their version, as in package bss.
	NextVersion func() uint64
}

// Client calls the API for one login. It is safe for concurrent use.
type Client struct {
	account string
	decoder Decoder
	wire    *wire.Client
}

var _ source.Client = (*Client)(nil)

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	o.Format = wire.OrDefault(o.Format, JSON)
	signer := wire.V1{
		Method: http.MethodPost, Format: o.Format, Version: version, SignatureVersion: signatureVersion,
	}
	c := &Client{account: o.Account, decoder: Decoder{Location: o.Location}}
	var errs []error
	if o.Format != JSON && o.Format != XML {
		errs = append(errs, fmt.Errorf("format: %q is neither %s nor %s", o.Format, JSON, XML))
	}
	ring, err := keys.NewKeyring(o.Credentials)
	if err != nil {
		errs = append(errs, fmt.Errorf("credentials: %w", err))
	}
	c.wire, err = wire.New(wire.Options{
		Vendor: Vendor, Account: o.Account, Endpoint: wire.OrDefault(o.Endpoint, endpoint), Keys: ring,
		Timeout: o.Timeout, DialTimeout: o.DialTimeout, MaxInFlight: o.MaxInFlight, Transport: o.Transport, NextVersion: o.NextVersion,
		Codes: codes, Sign: signer.Request, Parse: parseEnvelope, Permission: hintPermission, Expand: expand,
	})
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("domain: %w", errors.Join(errs...))
	}
	return c, nil
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.wire.Close() }

// Clock is what the answers say of the vendor's clock.
func (c *Client) Clock() *source.Clock { return c.wire.Clock() }

// Format keeps secrets out of every print (I10).
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the login and where it calls.
func (c *Client) String() string { return c.wire.String() }

// CanList is false: this version of the API has no action that lists orders.
func (c *Client) CanList() bool { return false }

// CanFilterStatus is false, as there is no list.
func (c *Client) CanFilterStatus() bool { return false }

// List always fails, as there is no list.
func (c *Client) List(context.Context, source.Query) (source.Page, error) {
	e := c.wire.Refuse("list", errors.New("the Domain API cannot list orders"))
	e.Hint = "give orders by their ids: `ordersync track --account " + c.account + " ID…`"
	return source.Page{}, e
}

// Detail asks for one order with its lines.
func (c *Client) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	var err error
	switch {
	case ownerID != "":
		err = errors.New("this source has no owners within a login")
	case orderID == "":
		err = errors.New("an order id is required")
	}
	if err != nil {
		return source.Detail{}, c.wire.Refuse(queryOrder, err)
	}
	a, err := c.wire.Send(ctx, queryOrder, append(make([]wire.Arg, 0, 16), wire.Arg{Name: "OrderID", Value: orderID}))
	if err != nil {
		return source.Detail{}, err
	}
	d, err := c.decoder.detail(&a, schema.Stream{Source: Vendor, Account: c.account}, orderID)
	if err != nil {
		return source.Detail{}, c.wire.Malformed(&a, err)
	}
	return d, nil
}
