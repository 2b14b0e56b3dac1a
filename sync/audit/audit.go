package audit

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
)

// Runner does one run over all streams of an account, side by side: an engine.
type Runner interface {
	Run(ctx context.Context, now time.Time, p *stream.Progress, work func(context.Context, *stream.Run) error) (stream.Summary, error)
}

// Audit compares what is stored of an account with its source and with itself, and brings it in order.
type Audit struct {
	store    Store
	runs     Runner
	window   time.Duration
	lateness time.Duration
}

// New makes an Audit. window is the length of a window, settle how late an order may come into one that is past.
func New(store Store, runs Runner, window, settle time.Duration) *Audit {
	return &Audit{store: store, runs: runs, window: window, lateness: settle}
}

// Store is what this package needs of the warehouse. Ranges are of creation times, [from, to), and have both ends.
type Store interface {
	stream.Store
	// Orders returns all orders of a range, and Items their items.
	Orders(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Order, error)
	Items(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Item, error)
	// Find returns those of some orders that are stored, by their ids alone.
	Find(ctx context.Context, stream schema.Stream, ids []string) ([]schema.OrderRef, error)
	// OpenFindings returns the findings of a stream that have not ended; WriteFindings records some, or that they ended.
	OpenFindings(ctx context.Context, stream schema.Stream) ([]schema.Finding, error)
	WriteFindings(ctx context.Context, findings []schema.Finding) error
}
