package stream

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// Store is what a run needs to know of the warehouse. Ranges are of creation times, [from, to), and have both ends; no ids
// are no orders.
type Store interface {
	Orders
	Ledger
	Rejects
}

// Orders are the stored orders.
type Orders interface {
	// Known returns what is stored of the orders of a range, by id.
	Known(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string]schema.Known, error)
	// First returns the creation time of the oldest order of a range that is stored, or of which an item is; zero for none.
	First(ctx context.Context, stream schema.Stream, from, to time.Time) (time.Time, error)
	// ItemIDs returns the ids of the items of a range, by order id.
	ItemIDs(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string][]string, error)
	// OrdersByID, ItemsByOrder and ItemIDsByOrder return some orders of a range, their items, and the ids of these.
	OrdersByID(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Order, error)
	ItemsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Item, error)
	ItemIDsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) (map[string][]string, error)
	// Places returns all stored rows of some orders of an account, whatever their creation time and owner; of the rows of one
	// order the newest comes last. HasOrders reports whether the account ever had one. Doubled returns the ids of the orders
	// that are stored with more than one creation time.
	Places(ctx context.Context, account string, ids []string) ([]schema.Place, error)
	HasOrders(ctx context.Context, account string) (bool, error)
	// Count counts the orders of a range.
	Count(ctx context.Context, stream schema.Stream, from, to time.Time) (int, error)
	// DetailAges counts the orders of a range whose detail is stored, by windows, and says when it was last fetched of the order for
	// which that is the longest ago.
	DetailAges(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) ([]schema.Window, error)
	// WriteChecks records that the details of stored orders were fetched and say nothing new.
	WriteChecks(ctx context.Context, checks []schema.Check) error
	Doubled(ctx context.Context, stream schema.Stream) ([]string, error)
}

// Ledger is what is recorded of windows.
type Ledger interface {
	// Windows returns the ledger rows that start in [from, to), oldest first. One that was listed with other filters has no
	// verdict.
	Windows(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Window, error)
	// Counts recomputes the windows of a range from the stored rows; windows without an order are left out.
	Counts(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) (map[time.Time]schema.Window, error)
}

// Rejects are the rejects of a stream that are not resolved, the accepted ones included.
type Rejects interface {
	// RejectWindows counts them by windows that start in a range, with a zero from all of them.
	RejectWindows(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) ([]schema.RejectWindow, error)
	// HeldRejects counts, of those that were listed in some windows, the ones whose order is stored, in a state that could be
	// read: they are no records beside it. It is by the starts of the windows, in Unix seconds.
	HeldRejects(ctx context.Context, stream schema.Stream, window time.Duration, windows []schema.RejectWindow) (map[int64]int, error)
	// RejectPage returns some of a range, with payloads where it is asked for these.
	RejectPage(ctx context.Context, stream schema.Stream, q schema.RejectQuery) ([]schema.Reject, error)
	// RejectsOf returns those with some ids, and those of some orders.
	RejectsOf(ctx context.Context, stream schema.Stream, ids, orderIDs []string) ([]schema.Reject, error)
}

// Committer takes what a run has found, and writes it in the order in which it came: the ledger row of a window is never
// written before its rows (I1).
type Committer interface {
	// Add hands over rows, or windows whose rows were all handed over before. What it is given is the committer's from then on.
	Add(schema.Batch) error
	// Release returns a range to the other processes after all that was added before has been written.
	Release(schema.Stream, window.Interval) error
	// Flush returns when all that was added before has been written.
	Flush() error
}
