package sink_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// Of young orders only those are provisional that lack what their product usually has, until they are as old as the last age;
// what was fetched since an age is not.
func TestProvisional(t *testing.T) {
	t.Parallel()
	s := open(t)
	ages := []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}
	var b sink.Batch
	n := 0
	// put stores an order that was received some minutes after its creation, with one line.
	put := func(created time.Time, received time.Duration, change func(*schema.Order, *schema.Item)) string {
		n++
		o := order(n)
		o.CreateTime, o.PaymentTime = created, created
		o.FetchedAt = created.Add(received)
		i := item(o, 1)
		if change != nil {
			change(&o, &i)
		}
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
		return o.OrderID
	}
	none := func(_ *schema.Order, i *schema.Item) { i.InstanceIDs = nil }
	noPeriod := func(_ *schema.Order, i *schema.Item) { i.UsageEndTime = time.Time{} }
	of := func(product string, change func(*schema.Order, *schema.Item)) func(*schema.Order, *schema.Item) {
		return func(o *schema.Order, i *schema.Item) {
			o.ProductCode, i.ProductCode = product, product
			if change != nil {
				change(o, i)
			}
		}
	}
	for k := range 4 { // what products usually have
		put(day.Add(-50*time.Hour-time.Duration(k)*time.Hour), 25*time.Hour, nil)
		put(day.Add(-50*time.Hour-time.Duration(k)*time.Hour), 25*time.Hour, of("support", none))
	}
	at := func(age time.Duration) time.Time { return day.Add(-age) }
	want := map[string]bool{
		put(at(5*time.Minute), time.Minute, none):                     false, // too young
		put(at(15*time.Minute), time.Minute, nil):                     false, // whole
		put(at(15*time.Minute), time.Minute, none):                    true,
		put(at(15*time.Minute), time.Minute, noPeriod):                true,
		put(at(15*time.Minute), 11*time.Minute, none):                 false, // received since
		put(at(15*time.Minute), time.Minute, of("support", none)):     false, // it never has any
		put(at(15*time.Minute), time.Minute, of("support", noPeriod)): true,
		put(at(15*time.Minute), time.Minute, of("new", none)):         true, // nobody knows
		put(at(70*time.Minute), 11*time.Minute, none):                 true, // the second age
		put(at(70*time.Minute), 61*time.Minute, none):                 false,
		put(at(23*time.Hour), time.Minute, nil):                       false,
		put(at(25*time.Hour), time.Minute, nil):                       true, // the last age
		put(at(25*time.Hour), 24*time.Hour+time.Minute, none):         false,
		put(at(25*time.Hour), time.Minute, func(o *schema.Order, i *schema.Item) { o.PaymentStatus, i.PaymentStatus = "Unpaid", "Unpaid" }): false,
		put(at(30*time.Hour), time.Minute, func(o *schema.Order, _ *schema.Item) { o.PaymentTime = at(20 * time.Hour) }):                    false, // paid less than a day ago
		put(at(30*time.Hour), time.Minute, func(o *schema.Order, _ *schema.Item) { o.DetailStatus = schema.DetailPending }):                 false,
	}
	checked := put(at(25*time.Hour), time.Minute, nil)
	want[checked] = false
	write(t, s, b)
	if err := s.WriteChecks(t.Context(), []schema.Check{{Stream: stream, OrderID: checked, CreateTime: at(25 * time.Hour), CheckedAt: at(time.Minute), Version: 1}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	refs, err := s.Provisional(t.Context(), stream, ages, day.Add(-9*24*time.Hour), day)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range refs {
		got[o.OrderID] = true
	}
	for id, due := range want {
		if got[id] != due {
			t.Errorf("order %s is provisional: %v", id, got[id])
		}
	}
	if refs, err := s.Provisional(t.Context(), stream, nil, day.Add(-9*24*time.Hour), day); err != nil || len(refs) > 0 {
		t.Errorf("without ages: %v, %v", refs, err)
	}
}

// How old a detail is follows from when it was written and when it was last found as it is stored; orders without one do not count.
func TestDetailAges(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := smallBatch() // an order each minute, fetched an hour after it was created
	pending := order(30)
	pending.DetailStatus = schema.DetailPending
	b.Orders = append(b.Orders, pending, order(70))
	write(t, s, b)
	late := day.Add(48 * time.Hour)
	if err := s.WriteChecks(t.Context(), []schema.Check{
		{Stream: stream, OrderID: order(1).OrderID, CreateTime: order(1).CreateTime, CheckedAt: late, Version: 1},
		{Stream: stream, OrderID: order(70).OrderID, CreateTime: order(70).CreateTime, CheckedAt: late, Version: 1},
	}); err != nil {
		t.Fatal(err)
	}
	ages := must[[]schema.Window](t)(s.DetailAges(t.Context(), stream, time.Hour, day, day.Add(24*time.Hour)))
	equal(t, ages, []schema.Window{
		{Stream: stream, Start: day, End: day.Add(time.Hour), Stored: 2, DetailedAt: order(2).FetchedAt},
		{Stream: stream, Start: day.Add(time.Hour), End: day.Add(2 * time.Hour), Stored: 1, DetailedAt: late},
	})
	old := func(before time.Time, most int) []schema.OrderRef {
		return must[[]schema.OrderRef](t)(s.OldDetails(t.Context(), stream, day, day.Add(24*time.Hour), before, most))
	}
	ref := func(n int) schema.OrderRef {
		return schema.OrderRef{OrderID: order(n).OrderID, CreateTime: order(n).CreateTime}
	}
	equal(t, old(late, 10), []schema.OrderRef{ref(2)})
	equal(t, old(late.Add(time.Second), 10), []schema.OrderRef{ref(2), ref(1), ref(70)})
	equal(t, old(late.Add(time.Second), 1), []schema.OrderRef{ref(2)})
}
