package stream

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Source is what the engine needs of a vendor: a [source.Caller].
type Source interface {
	walk.Lister
	enrich.Detailer
	// CanList and CanFilterStatus say what the vendor cannot do; see package source.
	CanList() bool
	CanFilterStatus() bool
}

// Stream is one stream and how to reach it.
type Stream struct {
	schema.Stream
	Source Source
	// Filters narrow the listings. The Store must be narrowed by them too, see [sink.Sink.Narrowed].
	//
	// [sink.Sink.Narrowed]: https://pkg.go.dev/github.com/ordersync/ordersync/sink#Sink.Narrowed
	Filters  schema.Filters
	Decoder  source.Decoder
	PageSize int
	InFlight int // listings, and details, under way at once
	// ListQuota is the list calls a second that the stream may make, its share of its account's; 0 is without a bound.
	ListQuota float64
	// DetailQuota is the same of detail calls.
	DetailQuota float64
	// Clock tells the vendor's clock minus this machine's, as far as it is known by now; nil for none.
	Clock func() (offset time.Duration, known bool)
}

// Offset is the vendor's clock minus this machine's; zero where it is not known.
func (s Stream) Offset() time.Duration {
	if s.Clock == nil {
		return 0
	}
	offset, _ := s.Clock()
	return offset
}

// Total asks for the source's count of the orders between two times. Whether it counts those of the ends is the vendor's.
func (s Stream) Total(ctx context.Context, asked window.Interval) (int, error) {
	p, err := s.Source.List(ctx, source.Query{
		OwnerID: s.OwnerID, Filters: s.Filters, Start: asked.Start, End: asked.End, Page: 1, Size: 1,
	})
	return p.Total, err
}

// Quotas returns the list and detail calls a second of the login of some streams, each of which has an equal share; 0 is without a
// bound.
func Quotas(streams []Stream) (list, details float64) {
	n := float64(len(streams))
	return streams[0].ListQuota * n, streams[0].DetailQuota * n
}

// Lists reports whether the stream's orders can be listed. Those of one that cannot are tracked, one by one.
func (s Stream) Lists() bool { return s.Source.CanList() }
