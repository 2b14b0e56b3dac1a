package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	source.Options
	Credentials keys.Credentials
	Location    *time.Location // of times, which name no zone; UTC+8 by default
	Format      string         // JSON by default
}

// Client calls the API for one login. It is safe for concurrent use.
type Client struct {
	*wire.Login
	account string
	decoder Decoder
	wire    *wire.Client
}

var _ source.Client = (*Client)(nil)

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	o.Format = cmp.Or(o.Format, JSON)
	signer := wire.V1{
		Method: http.MethodPost, Format: o.Format, Version: version, SignatureVersion: signatureVersion,
	}
	c := &Client{account: o.Account, decoder: Decoder{Location: o.Location}}
	o.Endpoint = cmp.Or(o.Endpoint, endpoint)
	var err error
	if o.Format != JSON && o.Format != XML {
		err = fmt.Errorf("format: %q is neither %s nor %s", o.Format, JSON, XML)
	}
	c.wire, err = wire.New(wire.Options{
		Options: o.Options, Vendor: Vendor, Credentials: o.Credentials,
		Codes: codes, Sign: signer.Request, Parse: parseEnvelope, Permission: hintPermission, Expand: expand,
	}, err)
	if err != nil {
		return nil, err
	}
	c.Login = &c.wire.Login
	return c, nil
}

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
