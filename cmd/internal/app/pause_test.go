package app_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/simulator"
)

// A vendor that wants no call for an hour gets none, from no scheduled run: the first ends and says until when, in the log,
// on the page and in the history, and the next ones do not even try.
func TestRunEndsAtALongPause(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"QueryOrders", "GetOrderDetail"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			account, cfg := vendor(t)
			var late atomic.Int64
			account.SetFault(func(r simulator.FaultRequest) simulator.Action {
				if r.API != action {
					return simulator.Action{}
				}
				late.Add(1)
				return simulator.Action{
					Error:  &simulator.Error{Status: http.StatusTooManyRequests, Code: "Throttling.User", Message: "enough"},
					Header: http.Header{"Retry-After": {"3600"}},
				}
			})
			log := newLines()
			a := newApp(t, cfg, log)
			if err := a.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			const begun = "no calls for now: the vendor asked for a pause"
			log.wait(t, begun, 1)
			log.wait(t, "tick", 1)
			before := late.Load() // those that were in flight
			log.wait(t, "tick", 3)
			if n := late.Load(); n != before {
				t.Errorf("%d calls in the pause", n-before)
			}
			if n := log.count(begun); n != 1 {
				t.Errorf("told %d times", n)
			}
			const says = "the vendor asked for 1h0m0s: no call before "
			if !strings.Contains(get(t, a.URL()), says) {
				t.Error("the page says nothing")
			}
			r, err := a.Status(t.Context(), status.Query{})
			if err != nil {
				t.Fatal(err)
			}
			if i := map[string]int{"QueryOrders": 0, "GetOrderDetail": 1}[action]; !strings.Contains(r.Budgets[i].Pause, says) {
				t.Errorf("%+v", r.Budgets)
			}
			runs, err := a.Warehouse().Sink.RecentRuns(t.Context(), time.Now().Add(-time.Hour), 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range runs {
				if run.State == sink.RunFailed && !strings.Contains(run.Error, says) {
					t.Errorf("the history says %q", run.Error)
				}
			}
			if len(runs) == 0 {
				t.Error("no run in the history")
			}
		})
	}
}
