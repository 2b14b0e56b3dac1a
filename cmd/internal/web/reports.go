package web

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ordersync/ordersync/cmd/internal/status"
)

const (
	// reportFor is how long a report is shown to others who ask the same.
	reportFor = 3 * time.Second
	// answerTimeout is how long whoever asks is made to wait for one: who looks at the page sees soon that the warehouse does
	// not answer.
	answerTimeout = 1500 * time.Millisecond
	// reportTimeout bounds the making of one, which goes on after that: of a slow warehouse the next one who asks sees it.
	reportTimeout = 10 * time.Second
)

// errSlow is why there is no report yet.
var errSlow = fmt.Errorf("the report is not made within %s", answerTimeout)

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

// get returns a report, which must not be changed. Errors are not kept. With an error it returns the last report that there
// was, or nil.
func (r *reports) get(ctx context.Context, q status.Query) (*status.Report, error) {
	if x := r.fresh(q); x != nil {
		return x, nil
	}
	made := r.flight.DoChan(fmt.Sprint(q), func() (any, error) {
		// Others wait for it too, so it does not end with the one who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
		defer cancel()
		x, err := r.make(ctx, q)
		if err == nil {
			r.keep(q, x)
		}
		return x, err
	})
	select {
	case x := <-made:
		if x.Err != nil {
			return r.last(q), x.Err
		}
		return x.Val.(*status.Report), nil
	case <-time.After(answerTimeout):
		return r.last(q), errSlow
	}
}

// last returns the last report that was made, however old it is.
func (r *reports) last(q status.Query) *status.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready[q].report
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

// keep keeps a report for those who come; the oldest makes room for it.
func (r *reports) keep(q status.Query, x *status.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready[q] = report{x, time.Now()}
	if len(r.ready) > mostReports {
		delete(r.ready, slices.MinFunc(slices.Collect(maps.Keys(r.ready)), func(a, b status.Query) int {
			return r.ready[a].made.Compare(r.ready[b].made)
		}))
	}
}
