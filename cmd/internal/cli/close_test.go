package cli_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/simulator"
)

type closed struct {
	OK     bool
	Closes []closedLine
}

type closedLine struct {
	Zone, Currency string
	Orders         int
	Net            *string
	Same           *bool
	Now            *struct{ Orders int }
}

// lastMonth is the month before the current one in a zone: its name, and when it begins and ends.
func lastMonth(zone *time.Location) (name string, start, end time.Time) {
	now := time.Now().In(zone)
	end = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, zone)
	start = end.AddDate(0, -1, 0)
	return start.Format("2006-01"), start, end
}

// states are the orders created in [start, end) that have lines: what they count as, and their net by spendOf.
func (w *world) states(start, end time.Time) map[string]string {
	out := map[string]string{}
	for _, id := range w.account.IDs(start, end) {
		o, ok := w.account.Order(id)
		if !ok {
			w.t.Fatalf("no order %s", id)
		}
		var net decimal.Decimal
		for i := range o.Items {
			_, _, n := spendOf(&o, &o.Items[i])
			net = net.Add(n.Decimal)
		}
		kind := strings.ToLower(o.PaymentStatus)
		if o.OrderType == "Refund" {
			kind = "refund"
		}
		out[id] = kind + " " + net.String()
	}
	return out
}

// A month is closed, orders change behind it, and the close is had again: what moved is what the vendor changed, no more and no
// less. The recipes of the cookbook about closes are run here.
func TestClose(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	month, start, end := lastMonth(zone)
	w := newWorldWith(t, simulator.Options{Seed: 4, Orders: 700, From: start.Add(-48 * time.Hour)})
	w.configure("schedule:", "reporting: {timezone: Asia/Shanghai}\nschedule:")
	w.run(0, "migrate") // the test's tables are of UTC
	contains(t, w.run(1, "close", month).err, month+" cannot be closed, because it is not whole", "main: the window of ", "is missing",
		"run `ordersync backfill --from "+start.UTC().Format(time.RFC3339)+" --to "+end.UTC().Format(time.RFC3339)+" --account main`")
	w.run(0, "backfill", "--from", start.UTC().Format(time.RFC3339), "--to", end.UTC().Format(time.RFC3339), "--account", "main")
	w.run(0, "backfill", "--from", start.Add(-48*time.Hour).UTC().Format(time.RFC3339))
	contains(t, w.run(1, "close", end.Format("2006-01")).err, end.Format("2006-01")+" is not over: close it after ")
	for _, args := range [][]string{{"2026-13"}, {"october"}, {"2026-10-01"}, {"9999-01"}, {}} {
		contains(t, w.run(2, append([]string{"close"}, args...)...).err, "write it as 2026-10")
	}
	contains(t, w.run(1, "close", "--check").err, "no month was closed")
	contains(t, w.run(1, "close", month, "--check").err, month+" was not closed: close it with `ordersync close "+month+"`")

	before := w.states(start, end)
	contains(t, w.run(0, "close", month).out, month+" is closed as of ", "in the zone Asia/Shanghai")
	truth := map[string]decimal.Decimal{}
	for _, id := range w.account.IDs(start, end) {
		o, _ := w.account.Order(id)
		for i := range o.Items {
			_, _, net := spendOf(&o, &o.Items[i])
			truth[o.Currency] = truth[o.Currency].Add(net.Decimal)
		}
	}
	c := decode[closed](t, w.run(0, "close", month, "--check", "--json").out)
	if !c.OK || len(c.Closes) != len(truth) || len(truth) == 0 {
		t.Errorf("%+v, truth %v", c, truth)
	}
	for _, l := range c.Closes {
		if l.Same == nil || !*l.Same || l.Net == nil || *l.Net != truth[l.Currency].String() || l.Orders == 0 || l.Zone != "Asia/Shanghai" {
			t.Errorf("%+v, truth %s", l, truth[l.Currency])
		}
	}

	// Behind the close: taken back, other amounts, a line gone, late, moved out of the month and within it, vanished,
	// and what changes no money.
	first := func(what string, do func(id string) error) string {
		t.Helper()
		for _, id := range w.account.IDs(start, end) {
			if o, _ := w.account.Order(id); o.OrderType != "Refund" && do(id) == nil {
				return id
			}
		}
		t.Fatalf("the account has no order that can be %s", what)
		return ""
	}
	w.account.Add(2, start.Add(time.Hour)) // at the very beginning, and of the month before in UTC
	late := w.account.Add(1, end.Add(-time.Second))
	w.account.Add(1, end) // of the next month
	quiet := first("changed in its detail", w.account.ChangeDetail)
	first("taken back", w.account.Revoke)
	ids := w.account.IDs(start, end)
	for _, id := range ids[100:105] {
		if err := w.account.Change(id); err != nil {
			t.Fatal(err)
		}
	}
	dropped := first("without a line", func(id string) error {
		if o, _ := w.account.Order(id); o.PaymentStatus != "Paid" || o.Items[len(o.Items)-1].Pretax.Decimal.IsZero() {
			return fmt.Errorf("nobody would see it")
		}
		return w.account.DropItem(id)
	})
	if err := w.account.Move(ids[200], end.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.account.Move(ids[201], start.Add(36*time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.run(0, "backfill", "--force", "--from", start.Add(-48*time.Hour).UTC().Format(time.RFC3339))
	w.run(0, "track", quiet)

	after := w.states(start, end)
	var want []string
	all := maps.Clone(after)
	maps.Copy(all, before)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		was, is := before[id], after[id]
		change := "changed"
		switch {
		case was == "":
			change, was = "added", " 0"
		case is == "":
			change, is = "removed", " 0"
		}
		if was != is || id == ids[201] {
			want = append(want, strings.ReplaceAll(fmt.Sprintf("%s %s %s %s", id, change, was, is), " ", "\t"))
		}
	}
	ask := func(query string) []string {
		t.Helper()
		out := w.run(0, "sql", "--format", "tsv", query).out
		return strings.Split(strings.TrimSuffix(out, "\n"), "\n")[1:]
	}
	got := ask("SELECT order_id, change, old_kind, old_net, kind, net FROM changes_since_close ORDER BY order_id")
	if diff := gocmp.Diff(want, got); diff != "" || len(want) < 10 {
		t.Errorf("changes_since_close (-truth +got)\n%s", diff)
	}
	for id, says := range map[string]string{late[0]: `added\t['lines']`, ids[200]: `removed\t['lines']`, ids[201]: `changed\t['create_time','payment_time']`, dropped: `changed\t['lines']`} {
		if got := ask("SELECT change, changed FROM changes_since_close WHERE order_id = '" + id + "'"); len(got) != 1 || !strings.HasPrefix(got[0], strings.ReplaceAll(says, `\t`, "\t")) {
			t.Errorf("order %s: %q instead of %q", id, got, says)
		}
	}
	_, queries := blocks(t, "sql")
	recipe := func(words string) string {
		t.Helper()
		i := slices.IndexFunc(queries, func(q string) bool { return strings.Contains(q, words) })
		if i < 0 {
			t.Fatalf("the cookbook has no query about %s", words)
		}
		return queries[i]
	}
	if got := ask(recipe("FROM changes_since_close")); len(got) != len(want) {
		t.Errorf("the cookbook finds %d changes, and there are %d", len(got), len(want))
	}
	// The figures of then, and the sum of what moved, make those of now.
	for currency, net := range truth {
		if got := ask(recipe("FROM spend_at_close")); !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, month+"-01\t"+currency+"\t"+net.String())
		}) {
			t.Errorf("%s: %s, the cookbook has %q", currency, net, got)
		}
		if got := ask(fmt.Sprintf(`SELECT (SELECT sum(net) FROM spend_at_close WHERE month = '%[1]s-01' AND currency = '%[2]s')
			+ (SELECT sum(difference) FROM changes_since_close WHERE currency = '%[2]s')
			= (SELECT sum(net) FROM spend WHERE month = '%[1]s-01' AND currency = '%[2]s')`, month, currency)); got[0] != "1" {
			t.Errorf("%s: what moved does not explain the month", currency)
		}
	}
	contains(t, w.run(0, "close", month, "--check").out, "All of it can be reproduced, to the digit.")

	// It is closed again: that is what counts from then on, and the first close is still there.
	contains(t, w.run(0, "close", month).out, "It was closed before, on ", "changes_since_close now goes by this close")
	if got := ask("SELECT count() FROM changes_since_close"); got[0] != "0" {
		t.Errorf("%s changes after the second close", got[0])
	}
	if got := ask("SELECT uniqExact(closed_at), sum(is_latest) = uniqExactIf(currency, is_latest) FROM closes"); got[0] != "2\t1" {
		t.Errorf("closes: %s", got)
	}
	c = decode[closed](t, w.run(0, "close", "--check", "--json").out)
	if !c.OK || len(c.Closes) != 2*len(truth) {
		t.Errorf("%+v", c)
	}
	// Another zone has other months: the closes of before can still be had again.
	w.configureAgain()
	w.run(0, "migrate")
	w.run(0, "close", month, "--check")
	if got := ask("SELECT count() FROM spend_at_close"); got[0] != "0" {
		t.Errorf("%s lines of a month that was not closed in this zone", got[0])
	}
	// What a hand did to the states of then is found.
	w.sql("INSERT INTO order_item_versions SELECT * REPLACE (version + 1 AS version, pretax_amount + 1 AS pretax_amount) FROM order_item_versions WHERE order_id = '%s'", ids[0])
	c = decode[closed](t, w.run(4, "close", month, "--check", "--json").out)
	if c.OK || !slices.ContainsFunc(c.Closes, func(l closedLine) bool { return !*l.Same && l.Now != nil }) {
		t.Errorf("%+v", c)
	}
	contains(t, w.run(4, "close", month, "--check").out, "cannot be reproduced", "now")
}

// What is not known of the month is no part of a close: each cause is named with its cure.
func TestCloseRefusesAMonthThatIsNotWhole(t *testing.T) {
	t.Parallel()
	month, start, end := lastMonth(time.UTC)
	w := newWorldWith(t, simulator.Options{Orders: 200, From: start})
	w.configure("schedule: {", "schedule: {window: 24h, ")
	from := start.Format(time.RFC3339)
	w.run(0, "backfill", "--from", from)
	middle := start.Add(10 * 24 * time.Hour).Format("2006-01-02 15:04:05")
	for _, c := range []struct{ does, undo, says string }{
		{"INSERT INTO sync_window_rows SELECT * REPLACE ('short' AS verdict, version + 1 AS version) FROM sync_window_rows FINAL WHERE window_start = '%s'",
			"INSERT INTO sync_window_rows SELECT * REPLACE ('complete' AS verdict, version + 1 AS version) FROM sync_window_rows FINAL WHERE window_start = '%s'",
			"is short: run `ordersync backfill --from "},
		{"INSERT INTO sync_window_rows SELECT * REPLACE (3 AS pending, version + 1 AS version) FROM sync_window_rows FINAL WHERE window_start = '%s'",
			"INSERT INTO sync_window_rows SELECT * REPLACE (0 AS pending, version + 1 AS version) FROM sync_window_rows FINAL WHERE window_start = '%s'",
			"the details of 3 orders are not there yet: run `ordersync backfill"},
		{"INSERT INTO sync_finding_rows (source, account, id, kind, depth, range_start, range_end, found_at, version) SELECT 'bss', 'main', 'f', 'count', 'counts', toDateTime64('%s', 3, 'UTC') AS a, a + 1, now64(3), 1",
			"INSERT INTO sync_finding_rows (source, account, id, kind, depth, range_start, range_end, found_at, ended_at, version) SELECT 'bss', 'main', 'f', 'count', 'counts', toDateTime64('%s', 3, 'UTC') AS a, a + 1, now64(3), now64(3), 2",
			"1 difference from the source that a verification found: run `ordersync verify --repair"},
		{"INSERT INTO reject_rows (source, account, id, stage, create_time, first_seen, last_seen, version) SELECT 'bss', 'main', 'r', 'list', toDateTime64('%s', 3, 'UTC'), now64(3), now64(3), 1",
			"INSERT INTO reject_rows (source, account, id, stage, create_time, first_seen, last_seen, resolved, version) SELECT 'bss', 'main', 'r', 'list', toDateTime64('%s', 3, 'UTC'), now64(3), now64(3), 1, 2",
			"1 record could not be stored: `ordersync rejects --account main` shows what and why"},
	} {
		w.sql(c.does, middle)
		contains(t, w.run(1, "close", month).err, month+" cannot be closed", "main: ", c.says)
		w.sql(c.undo, middle)
	}
	w.configureAgain("schedule: {", "schedule: {window: 24h, ", "clickhouse:", "  - {name: second, source: bss, endpoint: "+w.url+", credentials: {access_key_id: testid, access_key_secret: \"${TEST_SECRET}\"}}\nclickhouse:")
	contains(t, w.run(1, "close", month).err, "second: the window of "+from+" is missing: run `ordersync backfill --from "+from+" --to "+end.Format(time.RFC3339)+" --account second`")
	w.configureAgain("schedule: {", "schedule: {window: 24h, ")

	// A run that was under way at the moment of the close may hold what it received before: it is waited for.
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{w.addr}, Database: w.database, Username: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run := sink.Run{ID: "x", Kind: sink.RunTick, State: sink.RunRunning, Process: "host/1", StartedAt: time.Now().Add(-time.Second), UpdatedAt: time.Now().Add(time.Hour), Version: 1}
	other := run
	other.ID, other.From, other.To = "y", end, end.Add(time.Hour) // of another month: nobody waits for it
	if err := s.WriteRuns(t.Context(), []sink.Run{run, other}); err != nil {
		t.Fatal(err)
	}
	p := w.start("close", month)
	p.wait("waiting for the tick that host/1 began on ")
	run.State, run.Version = sink.RunOK, 2
	if err := s.WriteRuns(t.Context(), []sink.Run{run}); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d: %s", code, strings.Join(p.seen, "\n"))
	}
	contains(t, p.out.String(), month+" is closed as of ")
}
