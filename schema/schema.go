// Package schema holds the rows that ordersync stores and the migrations that create their tables.
//
// It is the vocabulary that every other package shares, so it imports nothing of ours. Columns keep the vendors' names
// in snake_case; see the comments in migrations for each column's unit, time zone and source field.
package schema

import (
	"context"
	"log/slog"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/shopspring/decimal"
)

// Money is an exact amount, or nothing where the vendor sent nothing: an absent tax is unknown, not zero (I4, I5).
type Money = decimal.NullDecimal

// MinTime and MaxTime are the first and the last moment that a column of the tables can hold, both UTC: the range of
// DateTime64(3). The server does not check it: a time outside would silently become another one (I6).
var (
	MinTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(2299, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// Stream is the unit that is planned and recorded on its own: an account, or one owner (a reseller's customer, a member
// account) within it. OwnerID is empty for the account's own orders.
type Stream struct {
	Source  string `ch:"source,label" json:"-"`
	Account string `ch:"account,label" json:"account"`
	OwnerID string `ch:"owner_id,label" json:"owner_id,omitempty"`
}

// String names the stream as people see it: "main", or "main/1234567890123456" for an owner.
func (l Stream) String() string {
	if l.OwnerID == "" {
		return l.Account
	}
	return l.Account + "/" + l.OwnerID
}

// Key names the stream without its source, which is its account's: what is known by account and owner alone is found by it.
func (l Stream) Key() Stream { return Stream{Account: l.Account, OwnerID: l.OwnerID} }

// LogAttr names the stream on a log line: account, which is the metrics' label, and owner_id where there is one.
func (l Stream) LogAttr() slog.Attr {
	if l.OwnerID == "" {
		return slog.String("account", l.Account)
	}
	return slog.Group("", "account", l.Account, "owner_id", l.OwnerID)
}

// Amounts are the money columns that orders and items share. All are in Currency, but PretaxAmountLocal, which is in
// the account's local currency.
type Amounts struct {
	PretaxGross Money `ch:"pretax_gross_amount"` // list price
	Pretax      Money `ch:"pretax_amount"`       // payable before tax
	PretaxLocal Money `ch:"pretax_amount_local"`
	Tax         Money `ch:"tax"`
	AfterTax    Money `ch:"after_tax_amount"`
}

// Order is one row of order_rows: an order as its list row shows it, brought up to date by its detail.
// Times are UTC; a zero time means that the vendor sent none.
type Order struct {
	Stream
	OrderID          string    `ch:"order_id"`
	RelatedOrderID   string    `ch:"related_order_id"`
	OrderType        string    `ch:"order_type,label"`
	PaymentStatus    string    `ch:"payment_status,label"`
	ProductCode      string    `ch:"product_code,label"`
	ProductType      string    `ch:"product_type,label"`
	CommodityCode    string    `ch:"commodity_code,label"`
	SubscriptionType string    `ch:"subscription_type,label"`
	CreateTime       time.Time `ch:"create_time"`
	PaymentTime      time.Time `ch:"payment_time,optional"`
	Currency         string    `ch:"currency,label"`
	PaymentCurrency  string    `ch:"payment_currency,label"`
	Amounts

	// Fingerprint is a hash of the list row as received. Equal fingerprints mean: nothing to fetch, nothing to write.
	// Zero means that no list row was seen (an order fetched by its id alone).
	Fingerprint uint64 `ch:"fingerprint"`
	// DetailStatus says whether the line items belong to this state of the order: DetailOK or DetailPending.
	DetailStatus string    `ch:"detail_status,label"`
	ItemCount    uint32    `ch:"items"`      // how many line items this state has (column items)
	FetchedAt    time.Time `ch:"fetched_at"` // when the newest payload of this row was received
	Version      uint64    `ch:"version"`    // monotone fetch sequence; the highest version of a row is the current one
	Deleted      bool      `ch:"is_deleted"`
	Raw          string    `ch:"raw"`        // the list row as received
	RawDetail    string    `ch:"raw_detail"` // the order part of the detail, where the vendor has one beside the items
}

// Values of Order.DetailStatus.
const (
	DetailOK      = "ok"
	DetailPending = "pending" // the detail could not be fetched yet; a later run tries again
)

// Item is one row of order_item_rows: a line item (BSS: sub-order). CreateTime is the order's, so that an item and all
// versions of it stay in the partition of its order.
type Item struct {
	Stream
	OrderID          string    `ch:"order_id"`
	ItemID           string    `ch:"item_id"`
	RelatedOrderID   string    `ch:"related_order_id"`
	OrderType        string    `ch:"order_type,label"`
	OrderSubType     string    `ch:"order_sub_type,label"`
	PaymentStatus    string    `ch:"payment_status,label"`
	ProductCode      string    `ch:"product_code,label"`
	ProductType      string    `ch:"product_type,label"`
	CommodityCode    string    `ch:"commodity_code,label"`
	SubscriptionType string    `ch:"subscription_type,label"`
	CreateTime       time.Time `ch:"create_time"`
	PaymentTime      time.Time `ch:"payment_time,optional"`
	Currency         string    `ch:"currency,label"`
	PaymentCurrency  string    `ch:"payment_currency,label"`
	Amounts
	InstanceIDs          []string          `ch:"instance_ids"`
	Region               string            `ch:"region,label"`
	Quantity             Money             `ch:"quantity"` // a count, kept as a decimal because vendors send fractions and text
	Config               string            `ch:"config"`
	OriginalConfig       string            `ch:"original_config"`
	Operator             string            `ch:"operator"`
	UsageStartTime       time.Time         `ch:"usage_start_time,optional"`
	UsageEndTime         time.Time         `ch:"usage_end_time,optional"` // a pay-as-you-go order "ends" about a hundred years after its start; zero also where the vendor says that it never ends
	ExtendInfos          map[string]string `ch:"extend_infos"`
	BillModuleConfig     string            `ch:"bill_module_config"`     // JSON as received
	OriginalModuleConfig string            `ch:"original_module_config"` // JSON as received

	FetchedAt time.Time `ch:"fetched_at"`
	Version   uint64    `ch:"version"`
	Deleted   bool      `ch:"is_deleted"` // a tombstone: the item vanished from its order's detail
	Raw       string    `ch:"raw"`
}

// Product is one row of product_rows: the name that people know a product by. An account has its own list, since sites
// differ in language and offer. A code alone names no product: code, type and subscription type together do.
type Product struct {
	Source           string    `ch:"source,label"`
	Account          string    `ch:"account,label"`
	ProductCode      string    `ch:"product_code,label"`
	ProductType      string    `ch:"product_type,label"` // may be empty
	SubscriptionType string    `ch:"subscription_type,label"`
	ProductName      string    `ch:"product_name"`
	FetchedAt        time.Time `ch:"fetched_at"`
	Version          uint64    `ch:"version"`
}

// Verdict says how much of a window is known to be stored.
type Verdict string

// Verdicts of a window.
const (
	Complete Verdict = "complete" // every order that the source lists is stored, with its items
	Open     Verdict = "open"     // as Complete, but the window (or its settle time) is not past yet
	Short    Verdict = "short"    // the source's counts and its rows could not be brought to agree
	Failed   Verdict = "failed"   // the source or the warehouse gave an error
)

// Window is one row of the ledger: a half-open UTC interval [Start, End) of one stream, and what is known of it.
type Window struct {
	Stream
	Start    time.Time `ch:"window_start"`
	End      time.Time `ch:"window_end"`
	Filters  string    `ch:"filters,label"` // what its listing was narrowed to, as [Filters.String] has it; empty for all orders
	Verdict  Verdict   `ch:"verdict,label"`
	Listed   uint32    `ch:"listed"`    // orders that the listing showed inside the window
	Stored   uint32    `ch:"stored"`    // of these, how many are in the warehouse
	Items    uint32    `ch:"items"`     // line items of these orders
	Rejected uint32    `ch:"rejected"`  // records that could not become rows
	Pending  uint32    `ch:"pending"`   // stored orders whose detail is still missing
	IDDigest uint64    `ch:"id_digest"` // XOR of xxHash64 over the ids of the stored orders

	// The listing that covered the window (it may cover many) and its TotalCount at first and last read.
	ListingStart time.Time `ch:"listing_start,optional"`
	ListingEnd   time.Time `ch:"listing_end,optional"`
	TotalFirst   uint32    `ch:"total_first"`
	TotalLast    uint32    `ch:"total_last"`

	// Calls are shared out over the windows of a listing: their sum over the ledger is the number made.
	Pages       uint32    `ch:"pages"`
	ListCalls   uint32    `ch:"list_calls"`
	DetailCalls uint32    `ch:"detail_calls"`
	Attempts    uint32    `ch:"attempts"` // walks of this window since it was last complete
	Error       string    `ch:"error"`
	StartedAt   time.Time `ch:"started_at,optional"`
	FinishedAt  time.Time `ch:"finished_at,optional"`
	ListedAt    time.Time `ch:"listed_at,optional"`   // when it was last listed whole, each row held against the stored one; zero in rows of before there was this
	DetailedAt  time.Time `ch:"detailed_at,optional"` // when the detail was fetched that was not for the longest time, or a time before that; zero where there is none, or nobody knows
	Version     uint64    `ch:"version"`
}

// Listing is when the window was last listed whole. Rows of before ListedAt were written by such a listing.
func (w Window) Listing() time.Time {
	if w.ListedAt.IsZero() {
		return w.FinishedAt
	}
	return w.ListedAt
}

// Activity is what is stored of a stream, as far as it matters for when it is asked again.
type Activity struct {
	Stream
	Answered time.Time // up to when its orders are stored by its newest listing that was complete; zero for longer ago than was looked
	Ordered  time.Time // when its newest stored order was created; zero likewise

	// What is left undone, but for what an operator has accepted.
	Undone   int // windows that are short or failed
	Rejected int // records that are not rows
	Pending  int // orders without their detail
}

// Check is that the detail of a stored order was fetched again, and was as it is stored.
type Check struct {
	Stream
	OrderID    string    `ch:"order_id"`
	CreateTime time.Time `ch:"create_time"` // the order's
	CheckedAt  time.Time `ch:"checked_at"`
	Version    uint64    `ch:"version"`
}

// Reject is a record that could not become a row. It keeps the payload as received, so that nothing is lost (I4).
type Reject struct {
	Stream
	ID          string    `ch:"id"`          // stable: the same record rejected again is the same reject
	Stage       string    `ch:"stage,label"` // RejectList, RejectDetail or RejectItem
	OrderID     string    `ch:"order_id"`    // empty where the record does not even have one
	WindowStart time.Time `ch:"window_start,optional"`
	CreateTime  time.Time `ch:"create_time,optional"` // the order's; zero where it could not be read
	Reason      string    `ch:"reason,label"`         // a short label, bounded in number: a metric label
	Message     string    `ch:"message"`              // what is wrong, for a person
	Raw         string    `ch:"raw"`
	Hash        uint64    // what Payload returns of a reject that was read without Raw
	FirstSeen   time.Time `ch:"first_seen"`
	LastSeen    time.Time `ch:"last_seen"`
	Attempts    uint32    `ch:"attempts"`
	NextAttempt time.Time `ch:"next_attempt,optional"` // when a later run may try again; ever more rarely for the same reason
	AcceptedAt  time.Time `ch:"accepted_at,optional"`  // when an operator accepted it
	AcceptedBy  string    `ch:"accepted_by"`
	Note        string    `ch:"note"`
	Resolved    bool      `ch:"resolved"` // it became a row after all
	Version     uint64    `ch:"version"`
}

// Payload tells the payloads of one record apart: 0 for a missing detail, whose Raw is the order's list row and not what
// failed, else the hash of Raw. The column payload of reject_rows computes the same.
func (r *Reject) Payload() uint64 {
	switch {
	case r.Stage == RejectDetail:
		return 0
	case r.Raw == "" && r.Hash != 0:
		return r.Hash
	}
	return Digest(r.Raw)
}

// State returns the reject without what may be large: its payload, of which the hash is left, and the texts for people.
func (r Reject) State() Reject {
	r.Hash = r.Payload()
	r.Raw, r.Message, r.AcceptedBy, r.Note = "", "", "", ""
	return r
}

// RejectWindow sums up the rejects of one window that are not resolved.
type RejectWindow struct {
	Start                          time.Time // zero for those that belong to no window
	List, Item, Detail             int       // by stage, the accepted ones included
	OpenList, OpenItem, OpenDetail int       // of these, those that nobody has accepted
	// Loose are those of List of which nobody knows to which window they belong: their creation time cannot be read, or cannot
	// be true. Start is where the listing began that showed them.
	Loose int
	// When the first one may be tried again that nobody has accepted; zero for none: by listing the window, by listing wherever
	// a loose one may be, and by fetching its order.
	DueList, DueLoose, DueSingle time.Time
}

// RejectQuery says which rejects of a stream are to be read: those of some stages that are not resolved and whose window
// starts in [From, To), in the order of their ids; a zero From is that of those without a window.
type RejectQuery struct {
	From, To time.Time
	Stages   []string
	After    string // the id after which to begin
	Most     int
	Raw      bool // read also the payload and the message
}

// Covers reports whether the acceptance of this reject, if there is one, holds for another failure of the same record.
func (r *Reject) Covers(failure *Reject) bool {
	return !r.AcceptedAt.IsZero() && r.Reason == failure.Reason && r.Payload() == failure.Payload()
}

// Stages of a reject.
const (
	RejectList   = "list"   // a list row that could not be decoded
	RejectDetail = "detail" // an order whose detail could not be fetched or decoded; its list row is stored
	RejectItem   = "item"   // one line of a detail that could not be decoded; its order and other items are stored
)

// Digest is what one id adds to a window's id digest, by XOR: ClickHouse's xxHash64(order_id).
func Digest(id string) uint64 { return xxhash.Sum64String(id) }

// Known is what the warehouse holds of an order: enough to tell whether it changed, and where its row is. The creation time
// is part of the key of a row, and the vendor may correct it.
type Known struct {
	CreateTime   time.Time
	Fingerprint  uint64
	DetailStatus string
	ItemCount    uint32
	FetchedAt    time.Time
	Version      uint64
}

// Tracked is one row of tracked_order_rows: an order that somebody asked to have kept, by its id. It is kept fresh until
// it is settled, which is when it is stored and not unpaid.
type Tracked struct {
	Stream
	OrderID string    `ch:"order_id"`
	AddedAt time.Time `ch:"added_at"`
	AddedBy string    `ch:"added_by"`
	Settled bool      `ch:"settled"`
	Version uint64    `ch:"version"`
}

// Cancellation is one row of cancellation_rows: that somebody had an order cancelled at the vendor. It is written
// before the call and again after it, so that no call goes unrecorded.
type Cancellation struct {
	Stream
	ID            string    `ch:"id"` // of this attempt
	OrderID       string    `ch:"order_id"`
	RequestedAt   time.Time `ch:"requested_at"`
	RequestedBy   string    `ch:"requested_by"`
	Outcome       string    `ch:"outcome,label"` // CancelAsked, CancelNotAsked, CancelDone, CancelRefused or CancelUnknown
	RequestID     string    `ch:"request_id"`    // the vendor's
	Error         string    `ch:"error"`
	PaymentStatus string    `ch:"payment_status,label"` // what the order's detail said afterwards; empty where it was not learned
	Version       uint64    `ch:"version"`
}

// Values of Cancellation.Outcome.
const (
	CancelAsked    = "asked"     // the call was about to be made; the program ended before it knew more
	CancelNotAsked = "not asked" // the program was stopped before it made the call
	CancelDone     = "cancelled" // the vendor confirmed it
	CancelRefused  = "refused"   // the vendor refused it
	CancelUnknown  = "unknown"   // no answer came: it may have happened or not
)

// OrderRef points to a stored order: its creation time finds the row without a search.
type OrderRef struct {
	OrderID    string
	CreateTime time.Time
}

// Place is one stored row of an order of some account. An order has one; two mean that it was stored anew with another
// creation time and the row of before was not removed yet, or that two owners have orders with the same id.
type Place struct {
	OwnerID string
	OrderID string
	Known
}

// Batch is what is written together. Rejects and items go first, then orders, and the windows last: an order that is stored is
// not fetched again, so all that is known of it is stored before (I7), and a window is committed only after the warehouse confirmed every row of it (I1).
type Batch struct {
	Orders  []Order
	Items   []Item
	Rejects []Reject
	Windows []Window
}

// Writer gathers rows that are written together. It holds them encoded, in a tenth of the memory of the rows, so
// that many can wait for an insert and its retries. One goroutine at a time uses it.
type Writer interface {
	// Add takes rows over. It fails on a value that does not fit its column.
	Add(Batch) error
	// Size is about how many bytes the rows take.
	Size() int
	// Write stores the rows as one, and returns when the warehouse has confirmed all of it. After an error some rows may be
	// stored and no ledger row is; the same can be written again (I3).
	Write(ctx context.Context) error
}

// Rows is how many rows the batch holds.
func (b *Batch) Rows() int { return len(b.Orders) + len(b.Items) + len(b.Rejects) + len(b.Windows) }

// Finding is one row of sync_finding_rows: a difference that a verification found, until a look of the same depth does not
// find it again (I12).
type Finding struct {
	Stream
	ID       string    `ch:"id"` // stable: the same difference found again is the same finding
	Kind     string    `ch:"kind,label"`
	Depth    string    `ch:"depth,label"`
	Start    time.Time `ch:"range_start"`
	End      time.Time `ch:"range_end"` // where it is
	OrderID  string    `ch:"order_id"`  // where it is about one order
	AtSource int       `ch:"at_source"` // orders at the source, or in the ledger
	Stored   int       `ch:"stored"`
	Note     string    `ch:"note"`
	FoundAt  time.Time `ch:"found_at"`
	EndedAt  time.Time `ch:"ended_at,optional"` // zero while it is open
	EndedBy  string    `ch:"ended_by,label"`
	Version  uint64    `ch:"version"`
}
