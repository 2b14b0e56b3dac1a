package status

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// ledgerKept is how long the ledger is not read again although nothing seems to have been written to it: of two replicas one may
// have said so before the other had it.
const ledgerKept = 5 * time.Minute

// Ledger is what was last read of the whole ledger. To add it up takes the server most of a second where there are thousands of
// owners, and so who asks often keeps one: it is read again after something was written to it. The zero Ledger has read nothing, and a
// nil one keeps nothing. It is not for concurrent use.
type Ledger struct {
	mark    sink.LedgerMark
	at      time.Time
	asked   map[string]schema.Filters
	streams []sink.StreamSummary
	faults  []sink.WindowFault
}

// read returns what the ledger says of all streams by the filters that are asked for, and why windows are short or failed.
func (l *Ledger) read(ctx context.Context, w *sink.Sink, asked map[string]schema.Filters, now time.Time) ([]sink.StreamSummary, []sink.WindowFault, error) {
	if l == nil {
		return readLedger(ctx, w, asked)
	}
	mark, err := w.LedgerMark(ctx) // before the ledger: what is written in between is seen the next time
	if err != nil {
		return nil, nil, err
	}
	if l.at.IsZero() || mark != l.mark || now.Sub(l.at) >= ledgerKept || !maps.EqualFunc(asked, l.asked, func(a, b schema.Filters) bool { return a.String() == b.String() }) {
		streams, faults, err := readLedger(ctx, w, asked)
		if err != nil {
			return nil, nil, err
		}
		*l = Ledger{mark, now, asked, streams, faults}
	}
	return slices.Clone(l.streams), l.faults, nil // a report completes the streams
}

func readLedger(ctx context.Context, w *sink.Sink, asked map[string]schema.Filters) (streams []sink.StreamSummary, faults []sink.WindowFault, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { streams, err = w.Summaries(ctx, asked); return err })
	g.Go(func() (err error) { faults, err = w.WindowFaults(ctx, varying); return err })
	return streams, faults, g.Wait()
}
