package unicloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// Vendor is the name of this source in rows, errors and metrics.
const Vendor = "unicloud"

// What the vendor's pages of the service and of common parameters say.
const (
	endpoint         = "https://api.unicloud.com"
	path             = "/transaction"
	version          = "2020-07-30"
	SignatureVersion = "1.0" // by default; the same page shows 2.0 in an example
	list             = "QueryOrders"
	detail           = "OrderDetail"
)

const defaultPageSize = 20 // the vendor's example has 10, and no maximum is published

// Options of a Client. Account and the keys are required.
type Options struct {
	source.Options
	AccessKeyID      string
	AccessKeySecret  string
	SignatureVersion string         // SignatureVersion by default
	Location         *time.Location // of times that name no zone; UTC+8 by default
}

// Format keeps secrets out of every print, whatever the verb (I10).
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "unicloud "+o.Account) }

// Client calls the service for one login. It is safe for concurrent use.
type Client struct {
	*wire.Login
	account string
	decoder Decoder
	wire    *wire.Client
}

var _ source.Client = (*Client)(nil)

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	signer := wire.V1{
		Method: http.MethodGet, Format: "json", Version: version,
		SignatureVersion: cmp.Or(o.SignatureVersion, SignatureVersion),
	}
	c := &Client{account: o.Account, decoder: Decoder{Location: o.Location}}
	o.Endpoint = cmp.Or(o.Endpoint, endpoint)
	var err error
	c.wire, err = wire.New(wire.Options{
		Options: o.Options, Vendor: Vendor, Path: path,
		Credentials: keys.Credentials{Type: keys.AccessKey, AccessKeyID: o.AccessKeyID, AccessKeySecret: o.AccessKeySecret},
		Codes:       codes, Sign: signer.Request, Parse: parseEnvelope, Permission: hintCaller,
	})
	if err != nil {
		return nil, err
	}
	c.Login = &c.wire.Login
	return c, nil
}

// CanFilterStatus is false: QueryOrders takes an OrderStatus, as an integer of no published meaning, while orders have it
// as a text.
func (c *Client) CanFilterStatus() bool { return false }

// List asks for one page of the listing. Which time the vendor filters by is not published; it is taken to be the time of
// creation, and a row of another time is found out where it is listed.
func (c *Client) List(ctx context.Context, q source.Query) (source.Page, error) {
	var err error
	switch {
	case q.OwnerID != "":
		err = errOwner
	case q.PaymentStatus != "":
		err = errors.New("the vendor's listing has no filter by payment status")
	case q.Filters != schema.Filters{ProductCode: q.Filters.ProductCode}:
		err = errors.New("the vendor's listing has a filter by product_code only")
	}
	if err != nil {
		return source.Page{}, c.wire.Refuse(list, err)
	}
	size := q.Size
	if size <= 0 {
		size = defaultPageSize
	}
	args := make([]wire.Arg, 0, 16)
	args = append(args, wire.Arg{Name: "Page", Value: strconv.Itoa(max(q.Page, 1))}, wire.Arg{Name: "Size", Value: strconv.Itoa(size)})
	if !q.Start.IsZero() {
		args = append(args, wire.Arg{Name: "StartTime", Value: notAfter(q.Start, c.decoder.location())})
	}
	if !q.End.IsZero() {
		args = append(args, wire.Arg{Name: "EndTime", Value: notBefore(q.End, c.decoder.location())})
	}
	if q.Filters.ProductCode != "" {
		args = append(args, wire.Arg{Name: "ProductCategory", Value: q.Filters.ProductCode})
	}
	a, err := c.wire.Send(ctx, list, args)
	if err != nil {
		return source.Page{}, err
	}
	page, err := c.decoder.page(&a, c.stream(), size)
	if err != nil {
		return source.Page{}, c.wire.Malformed(&a, err)
	}
	return page, nil
}

// Detail asks for one order with its lines.
func (c *Client) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	var err error
	switch {
	case ownerID != "":
		err = errOwner
	case orderID == "":
		err = errors.New("an order id is required")
	}
	if err != nil {
		return source.Detail{}, c.wire.Refuse(detail, err)
	}
	args := append(make([]wire.Arg, 0, 16), wire.Arg{Name: "OrderId", Value: orderID})
	a, err := c.wire.Send(ctx, detail, args)
	if err != nil {
		return source.Detail{}, err
	}
	d, err := c.decoder.detail(&a, c.stream(), orderID)
	switch {
	case errors.Is(err, errNoOrder):
		return source.Detail{}, c.wire.NotFound(&a, "the vendor has no order "+field.Excerpt(orderID), "check that the order is this login's")
	case err != nil:
		return source.Detail{}, c.wire.Malformed(&a, err)
	}
	return d, nil
}

var (
	errOwner   = errors.New("this source has no owners within a login")
	errNoOrder = errors.New("no order")
)

func (c *Client) stream() schema.Stream { return schema.Stream{Source: Vendor, Account: c.account} }
