package status_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

var (
	stream = schema.Stream{Source: "bss", Account: "main"}
	// now is a Wednesday. What lies before 13:19, two scheduled runs and a minute ago, should be in the ledger.
	now   = time.Date(2026, 11, 25, 13, 30, 0, 0, time.UTC)
	today = now.Truncate(24 * time.Hour)
)

func open(t *testing.T) *sink.Sink {
	t.Helper()
	addr, database := warehousetest.Database(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ledger writes complete hours of a stream from..to, and the hour of to as open; change alters a row, or drops it.
func ledger(t *testing.T, s *sink.Sink, stream schema.Stream, from, to time.Time, change func(*schema.Window) (keep bool)) {
	t.Helper()
	var b sink.Batch
	for at := from; !at.After(to); at = at.Add(time.Hour) {
		w := schema.Window{Stream: stream, Start: at, End: at.Add(time.Hour), Verdict: schema.Complete, Stored: 2, Items: 3, ListCalls: 1,
			DetailCalls: 2, FinishedAt: at.Add(time.Hour), Version: 1}
		if at.Equal(to) {
			w.Verdict = schema.Open
		}
		if change == nil || change(&w) {
			b.Windows = append(b.Windows, w)
		}
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, s *sink.Sink, cfg *config.Config, q status.Query) *status.Report {
	t.Helper()
	var expected []status.Expected
	for _, a := range cfg.Accounts {
		for _, owner := range append([]string{""}, a.OwnerIDs...) {
			l := schema.Stream{Source: a.Source, Account: a.Name, OwnerID: owner}
			expected = append(expected, status.Expected{Stream: l, ByID: a.Source == config.SourceDomain})
		}
	}
	r, err := status.Build(t.Context(), cfg.Schedule, expected, s, now, q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// picture draws a stream's map, a line a day, the newest first.
func picture(l status.Stream) []string {
	signs := map[status.State]string{status.Complete: "#", status.Open: "o", status.Short: "s", status.Failed: "F", status.Missing: "!",
		status.NotYet: ".", status.Before: "-"}
	var out []string
	for _, d := range l.Coverage {
		line := d.Day.Format("02 ")
		for _, c := range d.Cells {
			line += signs[c.State]
		}
		out = append(out, line)
	}
	return out
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not as expected (-want +got):\n%s", diff)
	}
}

func TestMapSaysWhatIsKnownOfEachHour(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := today.AddDate(0, 0, -2).Add(20 * time.Hour)
	ledger(t, s, stream, first, today.Add(13*time.Hour), func(w *schema.Window) bool {
		switch w.Start {
		case today.Add(2 * time.Hour):
			w.Verdict, w.Error, w.Attempts = schema.Short, "TotalCount says 5 and 4 came", 3
		case today.Add(3 * time.Hour):
			w.Verdict, w.Error = schema.Failed, "503\nagain and again"
		case today.Add(4 * time.Hour), today.Add(5 * time.Hour):
			return false
		case today.Add(6 * time.Hour):
			w.Rejected, w.Pending = 1, 2
		}
		return true
	})
	r := build(t, s, config.Default(), status.Query{Days: 4})
	l := r.Accounts[0]
	equal(t, picture(l), []string{
		"25 ##sF!!#######o..........",
		"24 ########################",
		"23 --------------------####",
		"22 ------------------------",
	})
	hours := l.Coverage[0].Cells
	for i, parts := range map[int][]string{
		0:  {"Wed 2026-11-25 00:00–01:00: complete. 2 orders, 3 items; 1 list call, 2 detail calls; listed 2026-11-25 01:00:00."},
		2:  {"short. TotalCount says 5 and 4 came (3 attempts)"},
		3:  {"failed. 503 again and again"},
		4:  {"missing", "ordersync backfill --from 2026-11-25T04:00:00Z --to 2026-11-25T05:00:00Z"},
		6:  {"complete", "1 rejected, 2 without items"},
		13: {"open", "was not past"},
		14: {"not yet"},
		23: {"23:00–24:00"},
	} {
		for _, part := range parts {
			if !strings.Contains(hours[i].Why, part) {
				t.Errorf("hour %d: %q is not in %q", i, part, hours[i].Why)
			}
		}
	}
	if r.OK || l.Gaps != 1 || len(l.Problems) != 4 {
		t.Errorf("ok %v, %+v", r.OK, l)
	}
	if got := r.Map; !got.From.Equal(today.AddDate(0, 0, -3)) || !got.To.Equal(today.AddDate(0, 0, 1)) || !got.LedgerFrom.Equal(first) || got.CellSeconds != 3600 {
		t.Errorf("%+v", got)
	}
	// Older days, by name.
	r = build(t, s, config.Default(), status.Query{Days: 1, From: today.AddDate(0, 0, -1), Stream: "main"})
	equal(t, picture(r.Accounts[0]), []string{"24 ########################"})
	var unknown *status.StreamError
	if _, err := status.Build(t.Context(), config.Default().Schedule, nil, s, now, status.Query{Stream: "other"}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

// A daemon that has stopped leaves hours that are missing, and not "not yet": its page must not look calm (I8).
func TestMapOfAStoppedDaemon(t *testing.T) {
	t.Parallel()
	s := open(t)
	ledger(t, s, stream, today, today.Add(9*time.Hour), nil)
	r := build(t, s, config.Default(), status.Query{Days: 1})
	equal(t, picture(r.Accounts[0]), []string{"25 #########o!!!!.........."})
	if r.OK || !strings.Contains(r.Accounts[0].Problems[0], "behind by") {
		t.Errorf("%+v", r.Accounts[0].Problems)
	}
}

// Windows that are shorter than an hour share a cell, and longer ones are cells themselves.
func TestMapOfOtherWindows(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return today.Add(time.Duration(minutes) * time.Minute) }
	for length, c := range map[time.Duration]struct {
		verdicts map[int]schema.Verdict // by the minute of today at which a window starts; "" for none
		want     string
	}{
		30 * time.Minute: {map[int]schema.Verdict{90: "", 150: schema.Short, 180: schema.Failed, 210: schema.Short, 780: ""}, "25 #!sF#########!.........."},
		8 * time.Hour:    {map[int]schema.Verdict{0: "", 480: schema.Open}, "25 !o."},
		24 * time.Hour:   {map[int]schema.Verdict{0: schema.Open}, "25 o"},
	} {
		t.Run(length.String(), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			cfg := config.Default()
			cfg.Schedule.Window = length
			var b sink.Batch
			for m := -24 * 60; at(m).Before(now); m += int(length.Minutes()) {
				v, special := c.verdicts[m]
				if special && v == "" {
					continue
				}
				if !special {
					v = schema.Complete
				}
				b.Windows = append(b.Windows, schema.Window{Stream: stream, Start: at(m), End: at(m).Add(length), Verdict: v, Version: 1})
			}
			if err := s.Write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			equal(t, picture(build(t, s, cfg, status.Query{Days: 1}).Accounts[0]), []string{c.want})
		})
	}
}

// With many streams a map is of the one that is asked for.
func TestMapsOfManyStreams(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := config.Default()
	cfg.Accounts = []config.Account{config.NewAccount("main", config.SourceBSS)} // its own orders were never synced
	for i := range 20 {
		l := stream
		l.OwnerID = fmt.Sprintf("%02d", i)
		cfg.Accounts[0].OwnerIDs = append(cfg.Accounts[0].OwnerIDs, l.OwnerID)
		ledger(t, s, l, today, today.Add(13*time.Hour), func(w *schema.Window) bool {
			return i%10 != 7 || w.Start.Hour() != 5
		})
	}
	maps := func(q status.Query) (names []string) {
		r := build(t, s, cfg, q)
		for i := range r.Accounts {
			if r.Accounts[i].Coverage != nil {
				names = append(names, r.Accounts[i].Name())
			}
		}
		if len(r.Accounts) != 21 || len(names) != r.Map.Streams {
			t.Errorf("%d streams, %d maps of %d", len(r.Accounts), len(names), r.Map.Streams)
		}
		return names
	}
	equal(t, maps(status.Query{}), nil)
	equal(t, maps(status.Query{Stream: "main/11"}), []string{"main/11"})
}

func TestRuns(t *testing.T) {
	t.Parallel()
	s := open(t)
	ledger(t, s, stream, today, today.Add(13*time.Hour), nil)
	run := func(id string, kind sink.RunKind, state sink.RunState, ago, took time.Duration) sink.Run {
		r := sink.Run{ID: id, Kind: kind, State: state, Accounts: []string{"main"}, StartedAt: now.Add(-ago), UpdatedAt: now.Add(-ago + took)}
		if state != sink.RunRunning {
			r.FinishedAt = r.UpdatedAt
		}
		return r
	}
	going := run("going", sink.RunBackfill, sink.RunRunning, 110*time.Second, 100*time.Second)
	going.Planned, going.Done, going.Share, going.EndsAt = 1000, 500, 0.25, now.Add(290*time.Second)
	failed := run("failed", sink.RunTick, sink.RunFailed, time.Hour, time.Second)
	failed.Error = "nothing went well"
	runs := []sink.Run{going, failed, run("lost", sink.RunBackfill, sink.RunRunning, 2*time.Hour, time.Minute)}
	if err := s.WriteRuns(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	// The last scheduled run failed, and nothing in the ledger says why.
	if r := build(t, s, config.Default(), status.Query{}); r.OK || len(r.Accounts[0].Problems) != 1 || !strings.Contains(r.Accounts[0].Problems[0], "nothing went well") {
		t.Errorf("ok %v: %v", r.OK, r.Accounts[0].Problems)
	}
	runs = nil
	for i := range 30 {
		runs = append(runs, run(fmt.Sprint(i), sink.RunTick, sink.RunOK, time.Duration(59-i)*time.Minute, time.Second))
	}
	if err := s.WriteRuns(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	r := build(t, s, config.Default(), status.Query{})
	if !r.OK || len(r.Runs) != 20 || r.Runs[0].ID != "going" {
		t.Errorf("ok %v, %d runs: %+v", r.OK, len(r.Runs), r.Runs[0])
	}
	// 30 successes since have not pushed them out.
	if f := r.Failures; len(f) != 2 || f[0].ID != "failed" || f[1].ID != "lost" || f[1].State != status.Lost || f[1].Took() != time.Minute {
		t.Errorf("%+v", f)
	}
	if len(r.Running) != 1 {
		t.Fatalf("%+v", r.Running)
	}
	// Share and end are the run's own: half of its windows may be a quarter of its work.
	if left, ok := r.Running[0].ETA(); !ok || r.Running[0].Share != 0.25 || left != 290*time.Second || r.Running[0].Took() != 110*time.Second {
		t.Errorf("%s left, %s so far", left, r.Running[0].Took())
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	add := func(n int, at time.Time, product, currency, amount string) {
		b.Orders = append(b.Orders, schema.Order{
			Stream: stream, OrderID: fmt.Sprint(n), CreateTime: at, FetchedAt: at, ProductCode: product, Currency: currency, PaymentStatus: "Paid",
			Version: 1,
		})
		b.Items = append(b.Items, schema.Item{
			Stream: stream, OrderID: fmt.Sprint(n), ItemID: fmt.Sprint(n), CreateTime: at, FetchedAt: at, ProductCode: product, Currency: currency, PaymentStatus: "Paid",
			Amounts: schema.Amounts{Pretax: schema.Money{Decimal: decimal.RequireFromString(amount), Valid: true}}, Version: 1,
		})
	}
	for i := range 12 {
		add(i, today, fmt.Sprintf("p%02d", i), "CNY", fmt.Sprintf("%d.000000000001", i))
	}
	add(100, today.AddDate(0, 0, -29), "p00", "CNY", "1000")
	add(101, today.AddDate(0, 0, -30), "p00", "CNY", "5") // too old
	add(102, now, "p00", "USD", "7")
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r := build(t, s, config.Default(), status.Query{})
	if len(r.Spend) != 2 {
		t.Fatalf("%+v", r.Spend)
	}
	yuan, dollars := r.Spend[0], r.Spend[1]
	if yuan.Currency != "CNY" || yuan.Orders != 13 || yuan.Amount.String() != "1066.000000000012" || len(yuan.Days) != 30 ||
		yuan.Days[0].Amount.String() != "1000" || yuan.Days[29].Orders != 12 || yuan.Days[1].Orders != 0 {
		t.Errorf("%+v", yuan)
	}
	if p := yuan.Products; len(p) != 10 || p[0].Code != "p00" || p[0].Orders != 2 || p[1].Code != "p11" {
		t.Errorf("%+v", p)
	}
	if dollars.Currency != "USD" || dollars.Amount.String() != "7" {
		t.Errorf("%+v", dollars)
	}
}

// The days of spend are those of the reporting zone, also where a day has 23 or 25 hours.
func TestSpendInTheReportingZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		addr, database := warehousetest.Database(t)
		s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default", Timezone: name, Reconfigure: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		year, month, day := now.In(zone).Date()
		first, last := time.Date(year, month, day-29, 0, 0, 0, 0, zone), time.Date(year, month, day+1, 0, 0, 0, 0, zone).Add(-time.Millisecond)
		var b sink.Batch
		for n, at := range []time.Time{first, first.Add(-time.Millisecond), last, last.Add(time.Millisecond)} {
			at = at.UTC()
			b.Orders = append(b.Orders, schema.Order{Stream: stream, OrderID: fmt.Sprint(n), CreateTime: at, FetchedAt: at, Currency: "CNY", Version: 1})
			b.Items = append(b.Items, schema.Item{Stream: stream, OrderID: fmt.Sprint(n), ItemID: "1", CreateTime: at, FetchedAt: at, Currency: "CNY",
				PaymentStatus: "Paid", Amounts: schema.Amounts{Pretax: decimal.NewNullDecimal(decimal.New(1, int32(n)))}, Version: 1})
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		r := build(t, s, config.Default(), status.Query{})
		if len(r.Spend) != 1 || r.Spend[0].Amount.String() != "101" || r.Spend[0].Days[0].Amount.String() != "1" || r.Spend[0].Days[29].Amount.String() != "100" ||
			r.Spend[0].Days[0].Day.Format(time.DateOnly) != first.Format(time.DateOnly) || r.ReportingZone != name {
			t.Errorf("%s: %+v", name, r.Spend)
		}
	}
}

// A stored view that was not made anew in time is a problem, and says why where the server knows.
func TestStoredView(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default", Refresh: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := func(now time.Time) *status.Report {
		t.Helper()
		r, err := status.Build(t.Context(), config.Default().Schedule, nil, s, now, status.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	started := time.Now().UTC()
	r := at(started.Add(time.Hour))
	if v := r.StoredView; !r.OK || len(r.Problems) > 0 || v == nil || v.Overdue || v.EverySeconds != 3600 || started.Sub(*v.RefreshedAt) > time.Minute {
		t.Errorf("in time: %+v, %v", r.StoredView, r.Problems)
	}
	r = at(started.Add(3 * time.Hour))
	if r.OK || !r.StoredView.Overdue || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "spend_stored is of "+r.StoredView.RefreshedAt.Format("2006-01-02 15:")) {
		t.Errorf("overdue: %+v, %v", r.StoredView, r.Problems)
	}
	for _, statement := range []string{"RENAME TABLE operators TO operators_away", "SYSTEM REFRESH VIEW spend_stored", "SYSTEM WAIT VIEW spend_stored",
		"RENAME TABLE operators_away TO operators"} {
		if err := s.Conn().Exec(t.Context(), statement); err != nil && !strings.Contains(statement, "WAIT") { // which fails as the view does
			t.Fatal(err)
		}
	}
	if r = at(started.Add(3 * time.Hour)); r.OK || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "operators") {
		t.Errorf("it cannot be made anew: %+v, %v", r.StoredView, r.Problems)
	}
}

// Where orders are tracked by their ids there are no hours, and the last success says how fresh they are.
func TestTrackedByID(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := config.Default()
	cfg.Accounts = []config.Account{config.NewAccount("names", config.SourceDomain)}
	if l := build(t, s, cfg, status.Query{}).Accounts[0]; len(l.Problems) != 1 || !strings.Contains(l.Problems[0], "ordersync track --account names") {
		t.Errorf("%+v", l)
	}
	run := sink.Run{ID: "1", Kind: sink.RunTick, State: sink.RunOK, Accounts: []string{"names"}, StartedAt: now.Add(-time.Minute),
		UpdatedAt: now.Add(-time.Minute), FinishedAt: now.Add(-time.Minute)}
	if err := s.WriteRuns(t.Context(), []sink.Run{run}); err != nil {
		t.Fatal(err)
	}
	order := schema.Order{Stream: schema.Stream{Source: "domain", Account: "names"}, OrderID: "1", CreateTime: today, FetchedAt: now, Version: 1}
	if err := s.Write(t.Context(), sink.Batch{Orders: []schema.Order{order}}); err != nil {
		t.Fatal(err)
	}
	r := build(t, s, cfg, status.Query{Stream: "names"})
	if lag, _ := r.Accounts[0].Lag(); !r.OK || lag != time.Minute || r.Accounts[0].Coverage != nil || r.Accounts[0].Orders != 1 || !r.Accounts[0].ByID {
		t.Errorf("%+v", r.Accounts[0])
	}
	run.ID, run.State, run.StartedAt, run.Error = "2", sink.RunFailed, now.Add(-time.Second), "one order is gone"
	if err := s.WriteRuns(t.Context(), []sink.Run{run}); err != nil {
		t.Fatal(err)
	}
	if r := build(t, s, cfg, status.Query{}); r.OK || !strings.Contains(r.Accounts[0].Problems[0], "one order is gone") {
		t.Errorf("%+v", r.Accounts[0].Problems)
	}
}

// What never was, and what was removed.
// What is configured no more stays visible with what it holds, and nothing is wrong with it: an owner of an account, and a
// whole account whose last scheduled run failed.
func TestNotConfigured(t *testing.T) {
	t.Parallel()
	s := open(t)
	ledger(t, s, stream, today, today.Add(13*time.Hour), nil)
	for _, old := range []schema.Stream{{Source: "bss", Account: "main", OwnerID: "7"}, {Source: "bss", Account: "old"}} {
		ledger(t, s, old, today.AddDate(0, 0, -1), today.Add(-20*time.Hour), func(w *schema.Window) bool {
			if w.Start.Equal(today.AddDate(0, 0, -1).Add(time.Hour)) {
				w.Verdict = schema.Short
			}
			return true
		})
	}
	if err := s.WriteRuns(t.Context(), []sink.Run{{ID: "1", Kind: sink.RunTick, State: sink.RunFailed, Accounts: []string{"old"}, Error: "refused",
		StartedAt: now.Add(-time.Hour), UpdatedAt: now.Add(-time.Hour), FinishedAt: now.Add(-time.Hour), Version: 1}}); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Accounts = []config.Account{config.NewAccount("main", config.SourceBSS)}
	r := build(t, s, cfg, status.Query{Days: 2})
	if !r.OK || len(r.Problems) != 0 || len(r.Accounts) != 3 || r.Accounts[0].Unconfigured || r.Accounts[0].Coverage == nil {
		t.Fatalf("%+v", r)
	}
	for _, l := range r.Accounts[1:] {
		if !l.Unconfigured || l.LagSeconds != nil || len(l.Problems) != 0 || l.Orders != 10 || l.Windows[schema.Short] != 1 || l.Coverage != nil {
			t.Errorf("%+v", l)
		}
	}
	// Its map is there for who asks, and nothing is missing after its end.
	equal(t, picture(build(t, s, cfg, status.Query{Days: 2, Stream: "main/7"}).Accounts[1]), []string{"25 ........................", "24 #s##o..................."})

	// Without a configured account, as where a configuration names the warehouse only, the ledger is all there is to judge.
	if r := build(t, s, config.Default(), status.Query{Days: 2}); r.OK || r.Accounts[2].Unconfigured || len(r.Accounts[2].Problems) == 0 {
		t.Errorf("%+v", r.Accounts)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	s := open(t)
	if r := build(t, s, config.Default(), status.Query{}); !r.OK || len(r.Accounts) != 0 || r.NextRun.IsZero() {
		t.Errorf("%+v", r)
	}
	cfg := config.Default()
	cfg.Accounts = []config.Account{config.NewAccount("main", config.SourceBSS)}
	r := build(t, s, cfg, status.Query{Days: 1})
	if r.OK || len(r.Accounts) != 1 || !strings.Contains(r.Accounts[0].Problems[0], "never synced") {
		t.Errorf("%+v", r.Accounts)
	}
	equal(t, picture(r.Accounts[0]), []string{"25 --------------.........."})
}
