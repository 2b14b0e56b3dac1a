// Package source is what the clients of all vendors share: the question and the answer of a listing and of a detail,
// the error with its Reason, the retry policy and the call budget.
//
// A vendor's client lives in a sub-package, makes exactly one attempt a call, and knows nothing of budgets or retries:
// those are added once, by [Caller].
package source

import (
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Query asks for one page of a listing.
type Query struct {
	OwnerID string // whose orders: empty for the login's own
	// Start and End are creation times, sent to the vendor at whole seconds, UTC. No vendor says whether its ends are
	// included, so callers ask for a second more on each side and attribute rows by their own creation time (I2).
	Start, End    time.Time
	PaymentStatus string // a filter; empty for all
	Page          int    // from 1
	Size          int
}

// Page is one page of a listing as the vendor gave it.
type Page struct {
	Total   int             // the vendor's TotalCount, as of this call
	Orders  []schema.Order  // Lane, Version and FetchedAt are set; DetailStatus is not
	Rejects []schema.Reject // rows that are not orders; Orders and Rejects together are all rows of the page
}

// Detail is one order's detail.
type Detail struct {
	Items   []schema.Item   // CreateTime is not set: it is the order's
	Rejects []schema.Reject // lines that are not items
	// What the detail says of the order as a whole; it is newer than the list row. Empty where it says nothing.
	PaymentStatus string
	PaymentTime   time.Time
	Raw           string // the order part of the payload, where there is one beside the items
}

// Decoder makes rows of stored payloads again, as the client made them of answers, so that a column that is added or
// corrected needs no call.
type Decoder interface {
	// Order decodes a list row, or says why that cannot be done.
	Order(lane schema.Lane, raw string) (schema.Order, *schema.Reject)
	// Detail decodes the payload of an order's detail from its parts: Detail.Raw and the Raw of each item.
	Detail(lane schema.Lane, orderID, raw string, items []string) Detail
}
