package bss

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
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

// Versions of the API, both of which live on the same hosts. The newer one knows member accounts instead of a reseller's
// customers, and has neither products nor cancelling: these are always asked of the older one.
const (
	Version2017    = "2017-12-14"
	Version2023    = "2023-09-30"
	DefaultVersion = Version2017 // when none is asked for
)

// dialect is what differs between the versions of the API.
type dialect struct {
	list, detail string // actions
	owner        string // the parameter that names whose orders are meant
	owners       string // what the configuration calls them
}

var dialects = map[string]dialect{
	Version2017: {list: "QueryOrders", detail: "GetOrderDetail", owner: "OwnerId", owners: "owner_ids"},
	Version2023: {list: "GetOrders", detail: "GetOrderDetail", owner: "MemberUid", owners: "member_uids"},
}

// Actions that only Version2017 has.
const (
	productList = "QueryProductList"
	cancelOrder = "CancelOrder"
)

// ramActions are what a policy must allow for an action, as the vendor's documents of the actions say. Those of GetOrders
// were not found; the older version's list of the same orders is named for it.
var ramActions = map[string]string{
	"QueryOrders":    "bss:DescribeOrderList",
	"GetOrders":      "bss:DescribeOrderList",
	"GetOrderDetail": "bss:DescribeOrderDetail",
	productList:      "bss:QueryProductList",
	cancelOrder:      "bss:CancelOrder",
}

// RAMActions are what a RAM policy must allow for an account of an API version: lists, details and product names; with
// cancel, cancelling orders too.
func RAMActions(version string, cancel bool) []string {
	d := dialects[version]
	actions := []string{ramActions[d.list], ramActions[d.detail], ramActions[productList]}
	if cancel {
		actions = append(actions, ramActions[cancelOrder])
	}
	return actions
}

// Credentials say where a login's keys come from.
type Credentials = keys.Credentials

// Options of a Client. Only Account is required.
type Options struct {
	source.Options
	Site        string // China by default
	APIVersion  string // DefaultVersion by default
	Credentials Credentials
}

const defaultPageSize = 20 // the vendor advises no more: bigger pages can time out

// Client calls the API for one login. It is safe for concurrent use.
type Client struct {
	*wire.Login
	account string
	site    string
	version string
	dialect dialect
	wire    *wire.Client
}

var _ source.Client = (*Client)(nil)

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	o.Site = cmp.Or(o.Site, China)
	o.APIVersion = cmp.Or(o.APIVersion, DefaultVersion)
	c := &Client{account: o.Account, site: o.Site, version: o.APIVersion, dialect: dialects[o.APIVersion]}
	var wrong []error
	endpoint := endpoints[o.Site]
	if endpoint == "" {
		wrong = append(wrong, fmt.Errorf("site: %q is neither %q nor %q", o.Site, China, International))
		endpoint = endpoints[China] // so that what else is wrong is said too
	}
	if c.dialect == (dialect{}) {
		wrong = append(wrong, fmt.Errorf("api_version: %q is not supported; use %q or %q", o.APIVersion, Version2017, Version2023))
	}
	o.Endpoint = cmp.Or(o.Endpoint, endpoint)
	var err error
	c.wire, err = wire.New(wire.Options{
		Options: o.Options, Vendor: Vendor, Credentials: o.Credentials,
		Codes: codes, Sign: c.sign, Parse: parseEnvelope, Expand: c.expand, Permission: wire.HintPermission,
	}, wrong...)
	if err != nil {
		return nil, err
	}
	c.Login = &c.wire.Login
	return c, nil
}

// expand fills what a hint leaves open.
func (c *Client) expand(hint, action string) string {
	other := International
	if c.site == International {
		other = China
	}
	return strings.NewReplacer("{site}", c.site, "{other site}", other, "{ram action}", ramActions[action],
		"{owners}", c.dialect.owners).Replace(hint)
}

// filterParameters are the list's parameters for the columns by which it can be narrowed, in both versions.
var filterParameters = map[string]string{
	"product_code": "ProductCode", "product_type": "ProductType",
	"subscription_type": "SubscriptionType", "order_type": "OrderType",
}

// List asks for one page of the listing.
func (c *Client) List(ctx context.Context, q source.Query) (source.Page, error) {
	args, err := c.owned(c.dialect.owner, q.OwnerID)
	if err != nil {
		return source.Page{}, c.wire.Refuse(c.dialect.list, err)
	}
	size := q.Size
	if size <= 0 {
		size = defaultPageSize
	}
	start, end := wholeSeconds(q.Start, q.End)
	if !q.Start.IsZero() {
		args = append(args, wire.Arg{Name: "CreateTimeStart", Value: start})
	}
	if !q.End.IsZero() {
		args = append(args, wire.Arg{Name: "CreateTimeEnd", Value: end})
	}
	if q.PaymentStatus != "" {
		args = append(args, wire.Arg{Name: "PaymentStatus", Value: q.PaymentStatus})
	}
	for _, f := range q.Filters.Set() {
		args = append(args, wire.Arg{Name: filterParameters[f.Column], Value: f.Value})
	}
	args = append(args, paging(q.Page, size)...)
	a, err := c.wire.Send(ctx, c.dialect.list, args)
	if err != nil {
		return source.Page{}, err
	}
	page, err := listing(&a, c.stream(q.OwnerID), size)
	if err != nil {
		return source.Page{}, c.wire.Malformed(&a, err)
	}
	return page, nil
}

// Detail asks for the lines of one order.
func (c *Client) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	args, err := c.ordered(c.dialect.owner, ownerID, orderID)
	if err != nil {
		return source.Detail{}, c.wire.Refuse(c.dialect.detail, err)
	}
	a, err := c.wire.Send(ctx, c.dialect.detail, args)
	if err != nil {
		return source.Detail{}, err
	}
	d, err := detail(&a, c.stream(ownerID), orderID)
	switch {
	case errors.Is(err, errNoLines):
		return source.Detail{}, c.wire.NotFound(&a, "the vendor has no lines of order "+field.Excerpt(orderID),
			"check that the order is this login's (or the given owner's) and of the site "+c.site)
	case err != nil:
		return source.Detail{}, c.wire.Malformed(&a, err)
	}
	return d, nil
}

func (c *Client) stream(owner string) schema.Stream {
	return schema.Stream{Source: Vendor, Account: c.account, OwnerID: owner}
}

// sign is an Options.Sign.
func (c *Client) sign(ctx context.Context, base url.URL, action string, args []wire.Arg, key keys.Key) *http.Request {
	version := c.version
	if action == productList || action == cancelOrder {
		version = Version2017
	}
	return wire.ACS3(ctx, base, version, action, args, key)
}

// wholeSeconds returns the ends of an interval as the vendor takes them. The interval only ever grows by this.
func wholeSeconds(start, end time.Time) (string, string) {
	if r := end.Truncate(time.Second); !r.Equal(end) {
		end = r.Add(time.Second)
	}
	return start.UTC().Format(wire.Timestamp), end.UTC().Format(wire.Timestamp)
}

func paging(page, size int) []wire.Arg {
	return []wire.Arg{{Name: "PageNum", Value: strconv.Itoa(max(page, 1))}, {Name: "PageSize", Value: strconv.Itoa(size)}}
}

// owned starts the arguments of a call about somebody's orders. The vendor's owner ids are int64.
func (c *Client) owned(parameter, id string) ([]wire.Arg, error) {
	args := make([]wire.Arg, 0, 8)
	if id == "" {
		return args, nil
	}
	if _, err := strconv.ParseUint(id, 10, 63); err != nil || strings.HasPrefix(id, "+") {
		return nil, fmt.Errorf("owner id %q is not a number", id)
	}
	return append(args, wire.Arg{Name: parameter, Value: id}), nil
}

// ordered starts the arguments of a call about one order.
func (c *Client) ordered(parameter, owner, order string) ([]wire.Arg, error) {
	args, err := c.owned(parameter, owner)
	if err == nil && order == "" {
		err = errors.New("an order id is required")
	}
	return append(args, wire.Arg{Name: "OrderId", Value: order}), err
}
