package sink_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := day.Add(24 * time.Hour)
	full := sink.Run{
		ID: "full", Kind: sink.RunBackfill, State: sink.RunFailed, Process: "host/7", Accounts: []string{"a", "b"}, From: early, To: late,
		StartedAt: day, UpdatedAt: day.Add(1e9), FinishedAt: day.Add(1e9), Planned: 1, Done: 2, Orders: 3, Changed: 4, Items: 5,
		Rejected: 6, ListCalls: 7, DetailCalls: 8, Error: "it's undone", Version: 3,
	}
	former := full
	former.State, former.Version, former.FinishedAt = sink.RunRunning, 2, time.Time{}
	lost := sink.Run{ID: "lost", Kind: sink.RunTick, State: sink.RunRunning, StartedAt: day.Add(time.Hour), UpdatedAt: now.Add(-sink.RunSilence - 1e6)}
	going := sink.Run{ID: "going", Kind: sink.RunTick, State: sink.RunRunning, StartedAt: day.Add(2 * time.Hour), UpdatedAt: now.Add(-sink.RunSilence)}
	runs := []sink.Run{full, former, lost, going}
	for n := range 50 { // successes
		at := day.Add(3*time.Hour + time.Duration(n)*time.Minute)
		runs = append(runs, sink.Run{ID: fmt.Sprint(n), Kind: sink.RunTick, State: sink.RunOK, StartedAt: at, UpdatedAt: at, FinishedAt: at})
	}
	if err := s.WriteRuns(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	get := must[[]sink.Run](t)
	equal(t, get(s.RecentRuns(t.Context(), day, 2)), []sink.Run{runs[len(runs)-1], runs[len(runs)-2]})
	equal(t, get(s.FailedRuns(t.Context(), now, day, 10)), []sink.Run{lost, full})
	equal(t, get(s.FailedRuns(t.Context(), now, day.Add(1), 10)), []sink.Run{lost})
	equal(t, get(s.RunningRuns(t.Context(), now, day)), []sink.Run{going})
	lost.State, lost.Accounts, lost.FinishedAt, lost.Version = sink.RunOK, []string{"a", "b"}, day.Add(5*time.Hour), 9
	if err := s.WriteRuns(t.Context(), []sink.Run{lost}); err != nil {
		t.Fatal(err)
	}
	equal(t, must[map[string]time.Time](t)(s.LastSuccesses(t.Context(), day)), map[string]time.Time{"a": lost.FinishedAt, "b": lost.FinishedAt})
	equal(t, must[map[string]time.Time](t)(s.LastSuccesses(t.Context(), day.Add(2*time.Hour))), nil)
	lost = runs[2]
	if !lost.Lost(now) || going.Lost(now) || full.Lost(now.AddDate(1, 0, 0)) {
		t.Error("Lost disagrees with the queries")
	}
	equal(t, texts(t, s.Conn(), "SELECT kind, error FROM sync_runs WHERE id = 'full'"), []string{"('backfill','it\\'s undone')"})
}

func TestSpendADay(t *testing.T) {
	t.Parallel()
	s := open(t)
	paid, unpaid, refund, dollars, next, none := order(1), order(2), order(3), order(4), order(24*60), order(5)
	unpaid.PaymentStatus, refund.PaymentStatus, refund.OrderType = "UnPaid", "", "Refund"
	refund.Pretax = amount("0.000000000001")
	dollars.Currency, dollars.ProductCode = "USD", "ecs"
	none.ProductCode, none.Pretax = "free", schema.Money{}
	b := sink.Batch{Orders: []schema.Order{paid, unpaid, refund, dollars, next, none}}
	for _, o := range b.Orders {
		i := item(o, 1)
		i.Pretax, i.SubscriptionType, i.ProductType = o.Pretax, o.SubscriptionType, ""
		b.Items = append(b.Items, i)
	}
	two := item(next, 2) // of another product
	two.ProductCode, two.Pretax = "ecs", amount("1")
	b.Items = append(b.Items, two)
	write(t, s, b)
	again := paid
	again.Version = 2
	write(t, s, sink.Batch{Orders: []schema.Order{again}})
	for range 2 { // a name that was fetched again is one name
		if err := s.WriteProducts(t.Context(), []schema.Product{
			{Source: "bss", Account: "main", ProductCode: "rds", SubscriptionType: "Subscription", ProductName: "RDS", FetchedAt: day},
			{Source: "bss", Account: "main", ProductCode: "rds", SubscriptionType: "PayAsYouGo", ProductName: "RDS", FetchedAt: day},
		}); err != nil {
			t.Fatal(err)
		}
	}
	money := decimal.RequireFromString
	days, products, err := s.Spend(t.Context(), day, day.AddDate(0, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, days, []sink.Spend{
		{Day: day, Currency: "CNY", Orders: 3, Amount: money("10.499999999999")},
		{Day: day, Currency: "USD", Orders: 1, Amount: money("10.5")},
		{Day: day.AddDate(0, 0, 1), Currency: "CNY", Orders: 1, Amount: money("11.5")},
	})
	equal(t, products, []sink.Spend{
		{Currency: "CNY", ProductCode: "ecs", Orders: 1, Amount: money("1")},
		{Currency: "CNY", ProductCode: "free", Orders: 1, Amount: money("0")},
		{Currency: "CNY", ProductCode: "rds", ProductName: "RDS", Orders: 3, Amount: money("20.999999999999")},
		{Currency: "USD", ProductCode: "ecs", Orders: 1, Amount: money("10.5")},
	})
	equal(t, must[uint64](t)(s.CountOrders(t.Context(), stream)), 6)
}

func TestRejectGroups(t *testing.T) {
	t.Parallel()
	s := open(t)
	one := func(id, stage string, seen time.Duration) schema.Reject {
		return schema.Reject{Stream: stream, ID: id, Stage: stage, Reason: "money", FirstSeen: day, LastSeen: day.Add(seen), Version: 1}
	}
	accepted, resolved := one("4", "list", 0), one("5", "list", 0)
	accepted.AcceptedAt, resolved.Resolved = day, true
	write(t, s, sink.Batch{Rejects: []schema.Reject{one("1", "item", 1e9), one("2", "list", 1e9), one("3", "list", 2e9), accepted, resolved}})
	equal(t, must[[]sink.RejectGroup](t)(s.RejectGroups(t.Context())), []sink.RejectGroup{
		{Stream: stream, Stage: "list", Reason: "money", Count: 2, FirstSeen: day, LastSeen: day.Add(2e9)},
		{Stream: stream, Stage: "item", Reason: "money", Count: 1, FirstSeen: day, LastSeen: day.Add(1e9)},
	})
}
