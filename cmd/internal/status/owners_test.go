package status_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// An owner that orders nothing is asked seldom. It is behind, and hours of it are missing, where that is longer ago than its bound.
func TestQuietOwnerIsNotBehind(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := config.Default()
	reseller := config.NewAccount("main", config.SourceBSS)
	reseller.OwnerIDs = []string{"1", "2"}
	cfg.Accounts = []config.Account{reseller}
	hour := now.Truncate(time.Hour)
	for owner, asked := range map[string]time.Time{"": now, "1": now.Add(-5 * time.Hour), "2": now.Add(-8 * time.Hour)} {
		stream := schema.Stream{Source: config.SourceBSS, Account: "main", OwnerID: owner}
		ledger(t, s, stream, hour.Add(-48*time.Hour), asked.Truncate(time.Hour), func(w *schema.Window) bool {
			w.ListingEnd = asked
			return true
		})
	}
	if err := s.Write(t.Context(), sink.Batch{Orders: []schema.Order{{
		Stream: schema.Stream{Source: config.SourceBSS, Account: "main"}, OrderID: "1", CreateTime: now.Add(-time.Minute), FetchedAt: now, Version: 1,
	}}}); err != nil {
		t.Fatal(err)
	}
	for _, l := range build(t, s, cfg, status.Query{Days: 2}).Accounts {
		missing := 0
		for _, d := range l.Coverage {
			for _, c := range d.Cells {
				if c.State == status.Missing {
					missing++
				}
			}
		}
		if wrong := l.OwnerID == "2"; (len(l.Problems) > 0) != wrong || (missing > 0) != wrong {
			t.Errorf("%s: %q, %d hours are missing", l.Name(), l.Problems, missing)
		}
	}
	cfg.Schedule.Quiet = 0
	for _, l := range build(t, s, cfg, status.Query{}).Accounts {
		if (len(l.Problems) > 0) != (l.OwnerID != "") {
			t.Errorf("%s is to be asked in every run: %q", l.Name(), l.Problems)
		}
	}
}
