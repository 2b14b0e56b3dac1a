// Package source is what the clients of all vendors share: the question and the answer of a listing and of a detail,
// the error with its Reason, the retry policy and the call budget.
//
// A vendor's client lives in a sub-package, makes exactly one attempt a call, and knows nothing of budgets or retries:
// those are added once, by [Caller].
//
// # Adding a vendor
//
// Write sync/source/<vendor> with three things in it, and nothing anywhere else but the wiring:
//
//   - A Client with List and Detail, and its wire.Login embedded. Give [wire.Options] what is the vendor's own: the endpoint,
//     how a request is signed (wire.V1 or a function), how an envelope is read, and the table of its error codes with a Reason
//     for each. Transport, time-outs, keys, bounds, and that no error shows a secret come with it.
//   - The decoding, with [field.Row] and [field.Lines]: which field goes into which column. Write that as a table into
//     doc.go. What has no honest column stays in the raw payload; what cannot be read makes a reject, never a guess (I4).
//   - A [Decoder] over the same code, so that a stored payload makes the same row again.
//
// Where the vendor cannot do something, the client says so, and the engine does without: a method CanList that reports
// false if orders can only be fetched by their ids, and CanFilterStatus if a listing cannot be narrowed to a payment
// status; see [CanList] and [CanFilterStatus]. Tests: the documented samples as golden files, every documented code over
// HTTP, a known signature, a fuzz test of the decoding.
//
// Then wire it: a line in the table vendors of cmd/internal/app, and its name among the sources that cmd/internal/config
// knows. Nothing else has to change: engine, ledger, tables and verbs are the same for all.
//
// [wire.Options]: https://pkg.go.dev/github.com/ordersync/ordersync/sync/source/internal/wire#Options
// [field.Row]: https://pkg.go.dev/github.com/ordersync/ordersync/sync/source/internal/field#Row
// [field.Lines]: https://pkg.go.dev/github.com/ordersync/ordersync/sync/source/internal/field#Lines
package source

import (
	"net/http"
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Options are what the clients of all vendors are made of. Only Account is required.
type Options struct {
	Account  string // the label of every row and error
	Endpoint string // instead of the vendor's: http(s)://host[:port]

	Timeout     time.Duration // of one call, all of it; 30 s by default
	MaxInFlight int           // calls at a time: as many connections are kept; 16 by default

	// Transport is for those who want to look at the answers. It must not send a request twice: vendors refuse a nonce that
	// they have seen.
	Transport http.RoundTripper
	// NextVersion returns the rows of an answer their version; it is called before the request is sent, since an answer
	// is at least as new as its question. By default a clock in nanoseconds that never stands still or goes back while
	// the process lives.
	NextVersion func() uint64
}

// Query asks for one page of a listing.
type Query struct {
	OwnerID string // whose orders: empty for the login's own
	// Start and End are creation times, sent to the vendor at whole seconds, UTC. No vendor says whether its ends are
	// included, so callers ask for a second more on each side and attribute rows by their own creation time (I2).
	Start, End    time.Time
	PaymentStatus string // a filter; empty for all
	Filters       schema.Filters
	Page          int // from 1
	Size          int
}

// Page is one page of a listing as the vendor returned it.
type Page struct {
	Total   int             // the vendor's TotalCount, as of this call
	Orders  []schema.Order  // Stream, Version and FetchedAt are set; DetailStatus is not
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
	// Order is the order as its detail alone shows it, for one that no listing showed: it has no Fingerprint and no Raw,
	// DetailStatus is not set, and Version and FetchedAt are, but for rows made of stored payloads. Columns that the detail
	// does not say are empty. It is nil where the detail does not even say when the order was created.
	Order *schema.Order
}

// Decoder makes rows of stored payloads again, as the client made them of answers, so that a column that is added or
// corrected needs no call.
type Decoder interface {
	// Order decodes a list row, or says why that cannot be done.
	Order(stream schema.Stream, raw string) (schema.Order, *schema.Reject)
	// Detail decodes the payload of an order's detail from its parts: Detail.Raw and the Raw of each item.
	Detail(stream schema.Stream, orderID, raw string, items []string) Detail
}
