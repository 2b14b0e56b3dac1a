package sink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := smallBatch()
	b.Orders[0].ItemCount, b.Orders[1].ItemCount = 2, 1
	other := order(3)
	other.OwnerID = "42"
	before, end := order(0), order(60)
	b.Orders = append(b.Orders, other, before, end)
	write(t, s, b)
	again := b.Orders[1]
	again.Fingerprint, again.DetailStatus, again.Version = 77, schema.DetailPending, 9
	gone := order(5)
	gone.Deleted = true
	write(t, s, sink.Batch{Orders: []schema.Order{again, gone}})

	known := must[map[string]schema.Known](t)(s.Known(t.Context(), stream, day.Add(time.Minute), day.Add(time.Hour)))
	equal(t, known, map[string]schema.Known{
		b.Orders[0].OrderID: {CreateTime: b.Orders[0].CreateTime, Fingerprint: 2, DetailStatus: schema.DetailOK, ItemCount: 2, FetchedAt: b.Orders[0].FetchedAt, Version: 1},
		b.Orders[1].OrderID: {CreateTime: b.Orders[1].CreateTime, Fingerprint: 77, DetailStatus: schema.DetailPending, ItemCount: 1, FetchedAt: again.FetchedAt, Version: 9},
	})
	pending := must[[]schema.OrderRef](t)(s.Pending(t.Context(), stream, schema.OrderRef{}, 1_000_000))
	equal(t, pending, []schema.OrderRef{{OrderID: again.OrderID, CreateTime: again.CreateTime}})
	// A bound in the middle of a millisecond, and bounds that no row can have.
	equal(t, len(must[map[string]schema.Known](t)(s.Known(t.Context(), stream, day.Add(time.Nanosecond), day.Add(time.Hour+1)))), 3)
	equal(t, len(must[map[string]schema.Known](t)(s.Known(t.Context(), stream, time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))), 4)
}

// An order is found wherever it is, and one that is stored at two places is known to be.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s := open(t)
	if must[bool](t)(s.HasOrders(t.Context(), "main")) {
		t.Error("an order in an empty warehouse")
	}
	b := smallBatch()
	moved := b.Orders[0]
	moved.CreateTime, moved.Version = moved.CreateTime.AddDate(0, -2, 0), 5
	other := b.Orders[1]
	other.OwnerID, other.CreateTime = "42", other.CreateTime.AddDate(0, 0, 1)
	gone := order(5)
	write(t, s, b)
	write(t, s, sink.Batch{Orders: []schema.Order{moved, other, gone}})
	gone.Deleted, gone.Version = true, gone.Version+1
	write(t, s, sink.Batch{Orders: []schema.Order{gone}})
	if !must[bool](t)(s.HasOrders(t.Context(), "main")) || must[bool](t)(s.HasOrders(t.Context(), "another")) {
		t.Error("HasOrders")
	}
	var got []string
	for _, p := range must[[]schema.Place](t)(s.Places(t.Context(), "main", []string{moved.OrderID, other.OrderID, gone.OrderID, "none"})) {
		got = append(got, fmt.Sprintf("%s %s %s", p.OwnerID, p.OrderID, p.CreateTime.Format(time.DateOnly)))
	}
	slices.Sort(got)
	want := []string{
		" " + moved.OrderID + " " + moved.CreateTime.Format(time.DateOnly), " " + moved.OrderID + " " + b.Orders[0].CreateTime.Format(time.DateOnly),
		" " + other.OrderID + " " + b.Orders[1].CreateTime.Format(time.DateOnly), "42 " + other.OrderID + " " + other.CreateTime.Format(time.DateOnly),
	}
	slices.Sort(want)
	equal(t, got, want)
	equal(t, must[[]string](t)(s.Doubled(t.Context(), stream)), []string{moved.OrderID})
	left := b.Orders[0]
	left.Deleted, left.Version = true, 4
	write(t, s, sink.Batch{Orders: []schema.Order{left}})
	equal(t, len(must[[]string](t)(s.Doubled(t.Context(), stream))), 0)
}

func TestFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := func(minutes int) time.Time {
		t.Helper()
		return must[time.Time](t)(s.First(t.Context(), stream, day.Add(time.Duration(minutes)*time.Minute), day.Add(time.Hour)))
	}
	equal(t, first(0), time.Time{})
	other := order(5)
	other.OwnerID = "42"
	gone := order(30)
	gone.Deleted = true
	// One order has lost its items, and one item its order: a crash may have come between them.
	write(t, s, sink.Batch{Orders: []schema.Order{order(20), gone, other, order(60)}, Items: []schema.Item{item(order(10), 1), item(other, 1)}})
	for from, at := range map[int]int{0: 10, 10: 10, 11: 20, 21: 30} {
		equal(t, first(from), day.Add(time.Duration(at)*time.Minute))
	}
	equal(t, first(31), time.Time{})
}

func TestManyIDs(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	var ids []string
	for n := range 4500 {
		o := order(n)
		b.Orders, b.Items, ids = append(b.Orders, o), append(b.Items, item(o, 1)), append(ids, o.OrderID)
	}
	ids = append(ids, "it's not \\ there")
	write(t, s, b)
	to := day.AddDate(0, 1, 0)
	equal(t, len(must[map[string][]string](t)(s.ItemIDsByOrder(t.Context(), stream, day, to, ids))), 4500)
	equal(t, len(must[[]schema.Order](t)(s.OrdersByID(t.Context(), stream, day, to, ids))), 4500)
	equal(t, len(must[[]schema.Item](t)(s.Items(t.Context(), stream, day, to))), 4500)
	equal(t, len(must[[]schema.Order](t)(s.Orders(t.Context(), stream, day, to))), 4500)
	equal(t, len(must[map[string][]string](t)(s.ItemIDs(t.Context(), stream, day, to))), 4500)
}

// No ids are no orders, and no reason to ask the server: not even one that is gone is noticed.
func TestNoIDsAreNone(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := order(1)
	write(t, s, sink.Batch{Orders: []schema.Order{o}, Items: []schema.Item{item(o, 1)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]string{nil, {}} {
		equal(t, must[[]schema.Order](t)(s.OrdersByID(t.Context(), stream, schema.MinTime, schema.MaxTime, ids)), nil)
		equal(t, must[[]schema.Item](t)(s.ItemsByOrder(t.Context(), stream, schema.MinTime, schema.MaxTime, ids)), nil)
		equal(t, len(must[map[string][]string](t)(s.ItemIDsByOrder(t.Context(), stream, schema.MinTime, schema.MaxTime, ids))), 0)
		equal(t, must[[]schema.OrderRef](t)(s.Find(t.Context(), stream, ids)), nil)
		equal(t, must[[]schema.Place](t)(s.Places(t.Context(), stream.Account, ids)), nil)
		equal(t, must[[]schema.Reject](t)(s.RejectsOf(t.Context(), stream, ids, ids)), nil)
		equal(t, must[[]schema.Reject](t)(s.RejectsOfOrders(t.Context(), stream, ids)), nil)
		equal(t, must[[]sink.Figures](t)(s.FiguresOf(t.Context(), schema.MinTime, schema.MaxTime, day, ids)), nil)
	}
}

// A tick must cost as much as what changed, however much is stored: the pending orders are found by an index.
func TestFewAreFoundCheaply(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for n := range 100_000 {
		o := order(n)
		o.CreateTime = day.Add(time.Duration(n) * time.Second)
		b.Orders = append(b.Orders, o)
	}
	b.Orders[70_000].DetailStatus = schema.DetailPending
	b.Orders[70_000].PaymentStatus = "Unpaid"
	write(t, s, b)
	for what, query := range map[string]string{
		"pending": `SELECT order_id FROM order_rows FINAL WHERE account = 'main' AND owner_id = ''
			AND detail_status = 'pending' SETTINGS do_not_merge_across_partitions_select_final = 1`,
		"unpaid": "SELECT order_id FROM unpaid_orders",
	} {
		if read := readRows(t, s, query); int(read) > len(b.Orders)/2 {
			t.Errorf("finding one %s order of %d read %d rows", what, len(b.Orders), read)
		}
	}
	done := b.Orders[70_000]
	done.DetailStatus, done.PaymentStatus, done.Version = schema.DetailOK, "Paid", 2
	write(t, s, sink.Batch{Orders: []schema.Order{done}})
	equal(t, must[[]schema.OrderRef](t)(s.Pending(t.Context(), stream, schema.OrderRef{}, 1_000_000)), nil)
	equal(t, number(t, s.Conn(), "SELECT count() FROM unpaid_orders"), 0)
}

// Counts must say of any range what window_audit says of everything.
func TestCounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for n := range 300 {
		o := order(n)
		b.Orders = append(b.Orders, o)
		for i := range n % 3 {
			b.Items = append(b.Items, item(o, i+1))
		}
	}
	b.Orders[7].DetailStatus = schema.DetailPending
	write(t, s, b)
	counts := must[map[time.Time]schema.Window](t)(s.Counts(t.Context(), stream, time.Hour, day, day.Add(3*time.Hour)))
	for start, c := range counts {
		want := schema.Window{Stream: stream, Start: start, End: start.Add(time.Hour)}
		for i, o := range b.Orders {
			if o.CreateTime.Truncate(time.Hour).Equal(start) {
				want.Stored++
				want.Items += uint32(i % 3)
				want.IDDigest ^= schema.Digest(o.OrderID)
				if o.DetailStatus == schema.DetailPending {
					want.Pending++
				}
			}
		}
		equal(t, c, want)
	}
	if len(counts) != 3 {
		t.Errorf("%d windows", len(counts))
	}
}

func TestUnpaid(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b, c := order(1), order(2), order(3)
	a.PaymentStatus, b.PaymentStatus = "unpaid", "Unpaid"
	write(t, s, sink.Batch{Orders: []schema.Order{c, b, a}})
	b.PaymentStatus, b.Version = "Cancelled", 2
	write(t, s, sink.Batch{Orders: []schema.Order{b}})
	equal(t, must[[]schema.OrderRef](t)(s.Unpaid(t.Context(), stream, day, day.Add(time.Hour))),
		[]schema.OrderRef{{OrderID: a.OrderID, CreateTime: a.CreateTime}})
}

func TestLedger(t *testing.T) {
	t.Parallel()
	s := open(t)
	full := schema.Window{
		Stream: stream, Start: day, End: day.Add(time.Hour), Verdict: schema.Short, Listed: 1, Stored: 2, Items: 3, Rejected: 4,
		Pending: 5, IDDigest: 1<<64 - 1, ListingStart: day, ListingEnd: late, TotalFirst: 6, TotalLast: 7, Pages: 8,
		ListCalls: 9, DetailCalls: 10, Attempts: 1<<32 - 1, Error: "it's short", StartedAt: early, FinishedAt: late, Version: 3,
	}
	bare := schema.Window{Stream: stream, Start: day.Add(time.Hour), End: day.Add(2 * time.Hour), Verdict: schema.Failed, Version: 1}
	foreign := bare
	foreign.OwnerID = "42"
	former := full
	former.Verdict, former.Version = schema.Failed, 2
	write(t, s, sink.Batch{Windows: []schema.Window{bare, full, foreign}})
	write(t, s, sink.Batch{Windows: []schema.Window{former}})
	for _, c := range []struct {
		from, to time.Time
		want     []schema.Window
	}{
		{day, day.Add(2 * time.Hour), []schema.Window{full, bare}},
		{schema.MinTime, schema.MaxTime, []schema.Window{full, bare}},
		{time.Time{}, time.Time{}, nil},
		{day, day.Add(time.Hour), []schema.Window{full}},
		{day.Add(time.Millisecond), schema.MaxTime, []schema.Window{bare}},
		{day.Add(2 * time.Hour), day.Add(24 * time.Hour), nil},
	} {
		equal(t, must[[]schema.Window](t)(s.Windows(t.Context(), stream, c.from, c.to)), c.want)
	}
}

func TestUndone(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(h int) time.Time { return day.Add(time.Duration(h) * time.Hour) }
	window := func(hour, hours int, v schema.Verdict) schema.Window {
		return schema.Window{Stream: stream, Start: at(hour), End: at(hour + hours), Verdict: v, Version: 1}
	}
	all := must[[]schema.Window](t)
	equal(t, all(s.Undone(t.Context(), stream, at(9))), nil)
	write(t, s, sink.Batch{Windows: []schema.Window{
		window(2, 1, schema.Complete), window(3, 1, schema.Short), window(4, 1, schema.Open), window(7, 1, schema.Complete),
		window(8, 1, schema.Failed), window(9, 1, schema.Complete),
	}})
	other := window(0, 1, schema.Failed)
	other.OwnerID = "1"
	healed := window(8, 1, schema.Complete)
	healed.Version = 2
	write(t, s, sink.Batch{Windows: []schema.Window{other, healed}})
	short, open := window(3, 1, schema.Short), window(4, 1, schema.Open)
	for _, c := range []struct {
		before int
		want   []schema.Window
	}{
		{2, nil},
		{3, nil},
		{4, []schema.Window{short}},
		{6, []schema.Window{short, open, window(5, 1, "")}},
		{9, []schema.Window{short, open, window(5, 2, "")}},
		{12, []schema.Window{short, open, window(5, 2, ""), window(10, 2, "")}},
	} {
		got := all(s.Undone(t.Context(), stream, at(c.before)))
		for i := range got {
			if got[i].Verdict == "" {
				got[i].Version = 1
			}
		}
		equal(t, got, c.want)
	}
}

func TestRejects(t *testing.T) {
	t.Parallel()
	s := open(t)
	full := schema.Reject{
		Stream: stream, ID: "1", Stage: schema.RejectItem, OrderID: "o", WindowStart: day, CreateTime: late, Reason: "malformed",
		Message: "it's odd", Raw: "{\"a\": 1e", FirstSeen: early, LastSeen: late, Attempts: 7, NextAttempt: day,
		AcceptedAt: day, AcceptedBy: "me", Note: "known", Version: 2,
	}
	bare := schema.Reject{Stream: schema.Stream{Source: "bss", Account: "other"}, ID: "1", FirstSeen: day, LastSeen: day, Version: 1}
	solved := schema.Reject{Stream: stream, ID: "2", FirstSeen: day.Add(1e6), LastSeen: day.Add(1e6), Resolved: true, Version: 1}
	first := solved
	first.Resolved, first.Version, first.LastSeen = false, 1, solved.FirstSeen
	solved.Version = 2
	write(t, s, sink.Batch{Rejects: []schema.Reject{bare, full, first}})
	write(t, s, sink.Batch{Rejects: []schema.Reject{solved}})
	all := must[[]schema.Reject](t)
	equal(t, all(s.FindRejects(t.Context(), "")), []schema.Reject{full, bare, solved})
	equal(t, all(s.FindAccountRejects(t.Context(), stream.Account, "")), []schema.Reject{full, solved})
	equal(t, all(warehousetest.OpenRejects(t.Context(), s, stream)), []schema.Reject{full})
	equal(t, texts(t, s.Conn(), "SELECT account, id, status FROM rejects ORDER BY account, id"),
		[]string{"('main','1','accepted')", "('main','2','resolved')", "('other','1','open')"})
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(h int) time.Time { return day.Add(time.Duration(h) * time.Hour) }
	var windows []schema.Window
	add := func(owner string, hour int, v schema.Verdict) {
		l := stream
		l.OwnerID = owner
		windows = append(windows, schema.Window{Stream: l, Start: at(hour), End: at(hour + 1), Verdict: v, Stored: 1, Pending: 2,
			Rejected: 3, FinishedAt: at(hour + 2), Version: 1})
	}
	for h, v := range []schema.Verdict{schema.Complete, schema.Short, schema.Complete, schema.Complete, schema.Open} {
		add("", h, v)
	}
	for _, h := range []int{0, 1, 5, 8} {
		add("1", h, schema.Complete)
	}
	add("2", 3, schema.Failed)
	write(t, s, sink.Batch{Windows: windows})
	owner := func(id string) schema.Stream { return schema.Stream{Source: "bss", Account: "main", OwnerID: id} }
	equal(t, must[[]sink.StreamSummary](t)(s.Summaries(t.Context(), nil)), []sink.StreamSummary{
		{Stream: owner(""), Windows: map[schema.Verdict]int{schema.Complete: 3, schema.Short: 1, schema.Open: 1}, Orders: 5, Pending: 10,
			Rejected: 15, Oldest: at(0), Newest: at(5), CompleteFrom: at(2), CompleteTo: at(4), LastFinished: at(6), Compared: at(2)},
		{Stream: owner("1"), Windows: map[schema.Verdict]int{schema.Complete: 4}, Orders: 4, Pending: 8, Rejected: 12, Oldest: at(0),
			Newest: at(9), CompleteFrom: at(8), CompleteTo: at(9), Gaps: 2, Missing: 5 * time.Hour, LastFinished: at(10), Compared: at(2)},
		{Stream: owner("2"), Windows: map[schema.Verdict]int{schema.Failed: 1}, Orders: 1, Pending: 2, Rejected: 3, Oldest: at(3),
			Newest: at(4), LastFinished: at(5)},
	})
}

func TestActivities(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(h int) time.Time { return day.Add(time.Duration(h) * time.Hour) }
	owner := func(id string) schema.Stream { return schema.Stream{Source: "bss", Account: "main", OwnerID: id} }
	window := func(l schema.Stream, hour int, v schema.Verdict, version uint64) schema.Window {
		return schema.Window{Stream: l, Start: at(hour), End: at(hour + 1), Verdict: v, ListingEnd: at(hour + 2), Version: version}
	}
	other := window(owner("1"), 5, schema.Complete, 1)
	other.Filters = "product_code=rds"
	write(t, s, sink.Batch{Windows: []schema.Window{
		window(owner(""), 1, schema.Complete, 1), window(owner(""), 2, schema.Open, 1), window(owner(""), 3, schema.Failed, 1),
		window(owner("1"), -900, schema.Short, 1), window(owner("1"), -901, schema.Short, 1), window(owner("1"), 0, schema.Complete, 1), other,
		window(owner("2"), -900, schema.Complete, 1), window(schema.Stream{Account: "other"}, 9, schema.Complete, 1),
	}})
	write(t, s, sink.Batch{Windows: []schema.Window{window(owner("1"), -901, schema.Complete, 2)}}) // it healed
	first, second, old := order(1), order(2), order(3)
	first.OwnerID, second.OwnerID, old.OwnerID = "3", "3", "4"
	first.CreateTime, second.CreateTime, old.CreateTime = at(2), at(4), at(-900)
	reject := func(id, stage string, resolved bool) schema.Reject {
		return schema.Reject{Stream: owner("3"), ID: id, Stage: stage, Reason: "money", Resolved: resolved, FirstSeen: at(-900), LastSeen: at(-900), Version: 1}
	}
	write(t, s, sink.Batch{Orders: []schema.Order{first, second, old}, Rejects: []schema.Reject{
		reject("a", schema.RejectList, false), reject("b", schema.RejectItem, false), reject("c", schema.RejectDetail, false), reject("d", schema.RejectList, true),
		reject("e", schema.RejectList, false),
	}})
	accepted := reject("e", schema.RejectList, false)
	accepted.AcceptedAt = at(1)
	if err := s.AcceptReject(t.Context(), accepted); err != nil {
		t.Fatal(err)
	}
	of := func(id string) schema.Stream { return schema.Stream{Account: "main", OwnerID: id} }
	equal(t, must[[]schema.Activity](t)(s.Activities(t.Context(), "main", at(-100))), []schema.Activity{
		{Stream: of(""), Answered: at(4), Undone: 1},
		{Stream: of("1"), Answered: at(2), Undone: 1},
		{Stream: of("3"), Ordered: at(4), Rejected: 2, Pending: 1},
	})
}

// unreadable is a listed row of an order, met in the window of the day's start, or of its creation time where that could be read.
func unreadable(o schema.Order, created time.Time) schema.Reject {
	at := day
	if !created.IsZero() {
		at = created.Truncate(time.Hour)
	}
	return schema.Reject{Stream: o.Stream, ID: "list-" + o.OrderID, Stage: schema.RejectList, OrderID: o.OrderID, CreateTime: created, WindowStart: at,
		Reason: "malformed", Raw: "{", FirstSeen: day, LastSeen: day, Version: 1}
}

// A listed row that cannot be read is a record beside the stored orders, unless its own order is stored where it says.
func TestRejectsOfStoredOrders(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(n, hour int) schema.Order {
		o := order(n)
		o.CreateTime, o.ProductCode = day.Add(time.Duration(hour)*time.Hour+time.Minute), "ecs"
		return o
	}
	stored := []schema.Order{at(1, 1), at(2, 5), at(3, 5), at(4, 1), at(5, 1)}
	stored[3].Deleted = true
	stored[4].OwnerID = "another"
	rejects := []schema.Reject{
		unreadable(at(1, 1), at(1, 1).CreateTime), // held
		unreadable(at(2, 1), at(2, 1).CreateTime), // stored in another window
		unreadable(at(3, 0), time.Time{}),         // held
		unreadable(at(4, 1), at(4, 1).CreateTime), // a tombstone
		unreadable(at(5, 1), at(5, 1).CreateTime), // another owner's
		unreadable(at(6, 0), time.Time{}),         // not stored
	}
	write(t, s, sink.Batch{Orders: stored, Rejects: rejects})
	for name, c := range map[string]struct {
		of   *sink.Sink
		from time.Time
		want string
	}{
		"all":           {s, time.Time{}, "0h 2/1, 1h 4/1"},
		"a range":       {s, day.Add(time.Hour), "1h 4/1"},
		"other filters": {s.Narrowed(schema.Filters{ProductCode: "rds"}), time.Time{}, "0h 2/0, 1h 4/0"},
	} {
		var got []string
		windows := must[[]schema.RejectWindow](t)(c.of.RejectWindows(t.Context(), stream, time.Hour, c.from, schema.MaxTime))
		held := must[map[int64]int](t)(c.of.HeldRejects(t.Context(), stream, time.Hour, windows))
		for _, w := range windows {
			got = append(got, fmt.Sprintf("%.0fh %d/%d", w.Start.Sub(day).Hours(), w.List, held[w.Start.Unix()]))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}
