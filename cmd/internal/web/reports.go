package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ordersync/ordersync/cmd/internal/status"
)

const (
	// reportFor is how long a report is shown to others who ask the same.
	reportFor = 3 * time.Second
	// reportTimeout bounds the making of one: who looks at the page sees that the warehouse does not answer.
	reportTimeout = 10 * time.Second
)

// reports makes reports, and shares each among all who ask within a few seconds: many viewers cost the warehouse as much
// as one.
type reports struct {
	make   func(context.Context, status.Query) (*status.Report, error)
	flight singleflight.Group
	mu     sync.Mutex
	ready  map[status.Query]report
}

type report struct {
	report *status.Report
	made   time.Time
}

func newReports(build func(context.Context, status.Query) (*status.Report, error)) *reports {
	return &reports{make: build, ready: map[status.Query]report{}}
}

// get gives a report, which must not be changed. Errors are not kept.
func (r *reports) get(ctx context.Context, q status.Query) (*status.Report, error) {
	if x := r.fresh(q); x != nil {
		return x, nil
	}
	x, err, _ := r.flight.Do(fmt.Sprint(q), func() (any, error) {
		// Others wait for it too, so it does not end with the one who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
		defer cancel()
		x, err := r.make(ctx, q)
		if err == nil {
			r.keep(q, x)
		}
		return x, err
	})
	if err != nil {
		return nil, err
	}
	return x.(*status.Report), nil
}

func (r *reports) fresh(q status.Query) *status.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.ready[q]; time.Since(x.made) < reportFor {
		return x.report
	}
	return nil
}

// mostReports bounds what is kept: a report of many days may take a megabyte or two.
const mostReports = 8

// keep keeps a report for those who come, and drops those that are too old.
func (r *reports) keep(q status.Query, x *status.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, old := range r.ready {
		if time.Since(old.made) >= reportFor {
			delete(r.ready, k)
		}
	}
	if len(r.ready) < mostReports {
		r.ready[q] = report{x, time.Now()}
	}
}
