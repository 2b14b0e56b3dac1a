package sink_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// Windows of an account are counted by what each was narrowed to, side by side in one ledger; lines count with their order.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	ecs, rds := order(1), order(2)
	ecs.ProductCode, ecs.OrderType, rds.ProductCode, rds.OrderType = "ecs", "New", "rds", "New"
	disk := item(ecs, 2)
	disk.ProductCode = "rds" // a line of another product than its order
	later := order(3)
	later.ProductCode, later.CreateTime = "ECS", day.Add(time.Hour)
	write(t, s, sink.Batch{Orders: []schema.Order{ecs, rds, later}, Items: []schema.Item{item(ecs, 1), disk, item(rds, 1)}})
	only := schema.Filters{ProductCode: "ecs"}
	narrowed := s.Narrowed(only)
	to := day.Add(2 * time.Hour)
	equal(t, len(must[map[string]schema.Known](t)(narrowed.Known(t.Context(), stream, day, to))), 2)
	equal(t, must[int](t)(narrowed.Count(t.Context(), stream, day, to)), 2)
	equal(t, must[int](t)(s.Count(t.Context(), stream, day, to)), 3)
	counts := must[map[time.Time]schema.Window](t)(narrowed.Counts(t.Context(), stream, time.Hour, day, to))
	equal(t, [2]uint32{counts[day].Stored, counts[day].Items}, [2]uint32{1, 2})

	window := func(hour int, f schema.Filters, v schema.Verdict) schema.Window {
		start := day.Add(time.Duration(hour) * time.Hour)
		w := schema.Window{Stream: stream, Start: start, End: start.Add(time.Hour), Filters: f.String(), Verdict: v, Version: 1}
		c := must[map[time.Time]schema.Window](t)(s.Narrowed(f).Counts(t.Context(), stream, time.Hour, w.Start, w.End))[w.Start]
		w.Stored, w.Items, w.IDDigest = c.Stored, c.Items, c.IDDigest
		return w
	}
	a, b := window(0, schema.Filters{}, schema.Complete), window(1, only, schema.Complete)
	write(t, s, sink.Batch{Windows: []schema.Window{a, b}})
	equal(t, texts(t, s.Conn(), "SELECT actual_stored, actual_items, agrees, filters FROM window_audit ORDER BY window_start"),
		[]string{"(2,3,1,'')", "(1,0,1,'product_code=ecs')"})

	blank := func(w schema.Window) schema.Window {
		return schema.Window{Stream: w.Stream, Start: w.Start, End: w.End, Filters: w.Filters, Version: w.Version}
	}
	equal(t, must[[]schema.Window](t)(s.Windows(t.Context(), stream, day, to)), []schema.Window{a, blank(b)})
	equal(t, must[[]schema.Window](t)(narrowed.Windows(t.Context(), stream, day, to)), []schema.Window{blank(a), b})
	equal(t, must[[]schema.Window](t)(s.Ledger(t.Context(), stream, day, to)), []schema.Window{a, b})
	equal(t, must[[]schema.Window](t)(narrowed.Undone(t.Context(), stream, to)), []schema.Window{blank(a)})
	for _, c := range []struct {
		got                []sink.StreamSummary
		complete, unproven int
	}{
		{must[[]sink.StreamSummary](t)(s.Summaries(t.Context(), nil)), 2, 0},
		{must[[]sink.StreamSummary](t)(s.Summaries(t.Context(), map[string]schema.Filters{"main": only, "b": {}})), 1, 1},
		{must[[]sink.StreamSummary](t)(s.Summaries(t.Context(), map[string]schema.Filters{"main": {OrderType: "New"}})), 0, 2},
		{must[[]sink.StreamSummary](t)(s.AccountSummaries(t.Context(), "main")), 1, 1},
		{must[[]sink.StreamSummary](t)(narrowed.AccountSummaries(t.Context(), "main")), 1, 1},
	} {
		if len(c.got) != 1 || c.got[0].Windows[schema.Complete] != c.complete || c.got[0].Unproven != c.unproven {
			t.Errorf("%+v instead of %d complete and %d unproven", c.got, c.complete, c.unproven)
		}
	}
}
