package engine_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// paced tells what a quota of ten and ten would make of the calls of a run: when it would make each of them.
type paced struct {
	stream.Source
	began          time.Time
	lists, details *atomic.Int64
	fetched        func(id string, at time.Time)
}

func (p *paced) at() time.Time {
	return p.began.Add(time.Duration(max(p.lists.Load(), p.details.Load())) * time.Second / 10)
}

func (p *paced) List(ctx context.Context, q source.Query) (source.Page, error) {
	p.lists.Add(1)
	return p.Source.List(ctx, q)
}

func (p *paced) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	p.details.Add(1)
	p.fetched(orderID, p.at())
	return p.Source.Detail(ctx, ownerID, orderID)
}

// TestScheduledRunTableSlow prints what a scheduled run every five minutes costs at some densities, and how long it takes from an order's
// creation until its detail is fetched, at a quota of ten list and ten detail calls a second. Other densities can be named:
// ORDERSYNC_DENSITIES="100000".
func TestScheduledRunTableSlow(t *testing.T) {
	sinktest.Slow(t, "takes long")
	densities := os.Getenv("ORDERSYNC_DENSITIES")
	if densities == "" {
		densities = "100 2000 40000"
	}
	for text := range strings.FieldsSeq(densities) {
		var density int
		if _, err := fmt.Sscan(text, &density); err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) {
			const runs, every = 6, 5 * time.Minute
			now := start.AddDate(0, 0, 1)
			w := newWorld(t, simulator.Options{Seed: 61, Orders: density, From: start, To: now})
			w.ListQuota = 10
			p := &paced{lists: new(atomic.Int64), details: new(atomic.Int64)}
			w.Source = func(s stream.Source) stream.Source { p.Source = s; return p }
			fetched := map[string]time.Time{}
			lock := make(chan struct{}, 1)
			p.fetched = func(id string, at time.Time) {
				lock <- struct{}{}
				defer func() { <-lock }()
				if _, known := fetched[id]; !known {
					fetched[id] = at
				}
			}
			w.Engine = w.NewEngine(0, 20)
			w.Backfill(now)
			run := func() (lists, details int64) {
				t.Helper()
				p.began = now
				p.lists.Store(0)
				p.details.Store(0)
				if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(every), nil); err != nil || s.Err() != nil {
					t.Fatal(err, s.Err())
				}
				return p.lists.Load(), p.details.Load()
			}
			run()
			for _, living := range []bool{false, true} {
				var lists, details int64
				clear(fetched)
				created := map[string]time.Time{}
				for i := range runs {
					for k := range 50 { // an even part of the day's orders
						at := now.Add(every * time.Duration(k) / 50).Truncate(time.Second)
						share := density * (i*50 + k + 1) / (288 * 50)
						if n := share - density*(i*50+k)/(288*50); living && n > 0 {
							for _, id := range w.Account.Add(n, at) {
								created[id] = at
							}
						}
					}
					now = now.Add(every)
					l, d := run()
					lists, details = lists+l, details+d
				}
				var took []time.Duration
				for id, at := range created {
					done, ok := fetched[id]
					if !ok {
						t.Errorf("order %s, created at %s, was not fetched by %s", id, at, now)
						continue
					}
					took = append(took, done.Sub(at))
				}
				slices.Sort(took)
				line := fmt.Sprintf("%d orders a day, living: %t: %.1f list and %.1f detail calls a run, with %d unpaid orders", density, living, float64(lists)/runs,
					float64(details)/runs, len(w.Account.Unpaid()))
				if n := len(took); n > 0 {
					line += fmt.Sprintf("; from creation to detail p50 %s, p99 %s", took[n/2].Round(time.Second), took[n*99/100].Round(time.Second))
				}
				t.Log(line)
			}
		})
	}
}
