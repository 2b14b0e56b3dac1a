package status

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/window"
)

// Allowances returns, by owner id, how much longer than from one scheduled run to the next the streams of an account may go
// unasked, because they order nothing, by the list quota of their account. An account of few streams has none.
func Allowances(ctx context.Context, w *sink.Sink, account string, streams int, quota float64, times config.Schedule, now time.Time) (map[string]time.Duration, error) {
	turns := window.TurnsOf(streams, quota, newSchedule(times, now).every, times.Quiet)
	if turns.Quiet == 0 {
		return nil, nil
	}
	stored, err := w.Activities(ctx, account, now.Add(-turns.Horizon()))
	out := make(map[string]time.Duration, len(stored))
	for _, a := range stored {
		if !a.Answered.IsZero() {
			out[a.OwnerID] = turns.Bound(window.Asked{At: a.Answered, Ordered: a.Ordered}) - turns.Every
		}
	}
	return out, err
}

// allAllowances are those of all accounts, by account and owner id.
func allAllowances(ctx context.Context, w *sink.Sink, times config.Schedule, expected []Expected, now time.Time) (map[schema.Stream]time.Duration, error) {
	streams, quotas, out := map[string]int{}, map[string]float64{}, map[schema.Stream]time.Duration{}
	filters := map[string]schema.Filters{}
	for _, e := range expected {
		streams[e.Account]++
		filters[e.Account], quotas[e.Account] = e.Filters, e.ListQuota
	}
	for account, n := range streams {
		allowed, err := Allowances(ctx, w.Narrowed(filters[account]), account, n, quotas[account], times, now)
		if err != nil {
			return nil, err
		}
		for owner, d := range allowed {
			out[schema.Stream{Account: account, OwnerID: owner}] = d
		}
	}
	return out, nil
}
