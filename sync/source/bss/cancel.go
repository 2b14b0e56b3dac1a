package bss

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// Canceller cancels unpaid orders. It is the only thing in ordersync that changes anything at the vendor, and it is a
// type of its own so that nothing that holds a [Client], a source.Client or a source.Caller can come upon it.
type Canceller struct{ c *Client }

// NewCanceller returns the right to cancel orders with a client's login. Only an explicit command of a person may ask for it.
func NewCanceller(c *Client) Canceller { return Canceller{c} }

// Cancel makes one attempt to cancel an unpaid order by CancelOrder, and returns the vendor's id of the request. The vendor
// allows 4 calls a second, and cancels nothing that is paid. After an error of Reason timeout or unavailable nobody knows
// whether the order was cancelled: its detail tells.
//
// The action is the older version's, whatever the client's. It knows a reseller's customers and no member accounts.
func (x Canceller) Cancel(ctx context.Context, ownerID, orderID string) (requestID string, err error) {
	args, err := x.c.ordered(dialects[Version2017].owner, ownerID, orderID)
	if err == nil && ownerID != "" && x.c.version != Version2017 {
		err = errors.New("orders of member accounts cannot be cancelled: only api_version " + Version2017 + " has CancelOrder, and it knows no members")
	}
	if err != nil {
		return "", x.c.wire.Refuse(cancelOrder, err)
	}
	a, err := x.c.wire.Send(ctx, cancelOrder, args)
	if err != nil {
		return "", err
	}
	if !confirmed(&a) {
		return "", x.c.wire.Malformed(&a, errors.New("the answer does not say that the order was cancelled"))
	}
	return cmp.Or(a.RequestID, a.Header.Get("X-Acs-Request-Id")), nil
}

// confirmed reports whether an answer says that the call has succeeded. Of an answer with data it is enough that it does
// not say the opposite; this one has nothing else to say.
func confirmed(a *wire.Answer) bool {
	said := strings.EqualFold(a.Code, "Success")
	field.Each(a.Body, func(k, v gjson.Result) bool {
		said = said || strings.EqualFold(k.Str, "Success") && v.Bool()
		return true
	})
	return said
}
