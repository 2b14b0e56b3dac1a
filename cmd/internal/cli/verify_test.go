package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
)

type verified struct {
	OK             bool
	Calls          int
	Left, Repaired int
	Accounts       []struct {
		Account        string
		Windows, Calls int
		Compared       string
		Differences    int
		Repaired       int
		Error          string
	}
	Differences []struct {
		Kind     string
		Depth    string
		FoundAt  *time.Time `json:"found_at"`
		OrderID  string     `json:"order_id"`
		Source   int
		Stored   int
		Repaired bool
	}
	Error string
}

// What a hand did to the warehouse is found, shown, repaired, and remembered.
func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure()
	contains(t, w.run(1, "verify").err, "nothing was ever synced", "ordersync backfill --from")
	w.run(0, "backfill", "--from", "-24h")
	r := w.run(0, "verify")
	contains(t, r.out, "main: ", " windows from ", ", 3 calls: counts agree")
	contains(t, w.run(0, "status").out, "main: counts of ", "by 3 calls: they agree")
	v := decode[verified](t, w.run(0, "verify", "--deep", "--json").out)
	if !v.OK || v.Left != 0 || len(v.Differences) != 0 || v.Calls < 2 || v.Accounts[0].Calls != v.Calls || v.Accounts[0].Windows < 23 {
		t.Errorf("%+v", v)
	}

	ids := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))
	w.sql("ALTER TABLE order_rows DELETE WHERE order_id IN ('%s', '%s')", ids[0], ids[len(ids)-1])
	w.sql("ALTER TABLE order_item_rows UPDATE region = 'nowhere' WHERE order_id = '%s'", ids[len(ids)/2])
	r = w.run(4, "verify", "--deep")
	contains(t, r.out, "ledger", "altered", ids[len(ids)/2], "differences; --repair lists these windows again", "`ordersync replay`", "│ no ")
	if r.err != "" {
		t.Errorf("standard error: %s", r.err)
	}
	contains(t, w.run(1, "status").out, "2 differences between the stored rows and the ledger, 1 difference between stored rows and the payloads", "`ordersync verify --repair --account main`")
	if got := w.run(0, "sql", "--format", "tsv", "SELECT differences, deep, whole FROM sync_verifications ORDER BY finished_at DESC LIMIT 1").out; got != "differences\tdeep\twhole\n5\t1\t1\n" {
		t.Errorf("recorded: %q", got)
	}

	v = decode[verified](t, w.run(0, "verify", "--deep", "--repair", "--json").out)
	if !v.OK || v.Left != 0 || v.Repaired != 5 || !v.Differences[0].Repaired {
		t.Errorf("%+v", v)
	}
	contains(t, w.run(0, "verify", "--deep").out, "list rows and stored payloads agree")
	contains(t, w.run(0, "status").out, "list rows and stored payloads of ", "they agree")
}

// That counts agree does not end what a deep look found: only a look as deep does, or a repair (I12).
func TestFindingsOutlastCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure()
	w.run(0, "backfill", "--from", "-24h")
	changed := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))[:4]
	for _, id := range changed {
		if err := w.account.Change(id); err != nil {
			t.Fatal(err)
		}
	}
	contains(t, w.run(0, "verify").out, "counts agree") // which is all that it says
	contains(t, w.run(0, "status").out, "counts of ", "they agree")
	w.run(4, "verify", "--deep")
	for range 2 {
		r := w.run(4, "verify")
		contains(t, r.out, "changed", changed[0], "not looked at as deep now", "4 differences")
		contains(t, w.run(1, "status").out, "4 differences between the source's list rows and the copy")
	}
	v := decode[verified](t, w.run(4, "verify", "--json").out)
	if v.OK || v.Left != 4 || v.Differences[0].Depth != "rows" || v.Differences[0].FoundAt == nil || v.Accounts[0].Compared != "counts" {
		t.Errorf("%+v", v)
	}
	if got := w.run(0, "sql", "--format", "tsv", "SELECT differences FROM sync_verifications ORDER BY finished_at DESC LIMIT 1").out; got != "differences\n4\n" {
		t.Errorf("recorded: %q", got)
	}
	w.run(0, "plan", "--from", "-24h") // lists invented orders, which proves nothing
	// A part where nothing was found has nothing left; the rest stays open.
	contains(t, w.run(0, "verify", "--from", "-4h", "--deep").out, "payloads agree")
	w.run(4, "verify")
	// The repair that status names heals what was found, though its own look is at counts.
	contains(t, w.run(0, "verify", "--repair").out, "4 differences, all repaired")
	w.run(0, "status")
	w.run(0, "verify", "--deep")
}

// Repaired is what was listed whole in that run, and nothing that the vendor refused to list (I12).
func TestNotRepairedIsNotCalledSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure()
	w.run(0, "backfill", "--from", "-24h")
	id := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))[7]
	if err := w.account.Change(id); err != nil {
		t.Fatal(err)
	}
	w.run(4, "verify", "--deep")
	w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.Size > 1 { // counts are answered, pages are not
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter", Message: "not today"}}
		}
		return simulator.Action{}
	})
	r := w.run(4, "verify", "--repair")
	contains(t, r.out, "1 difference left, 0 repaired", "its window was not listed whole", "not today")
	if got := w.run(0, "sql", "--format", "tsv", "SELECT differences, repaired FROM sync_verifications ORDER BY finished_at DESC LIMIT 1").out; got != "differences\trepaired\n1\t0\n" {
		t.Errorf("recorded: %q", got)
	}
	w.run(1, "status")
	w.account.SetFault(nil)
	contains(t, w.run(0, "verify", "--repair").out, "1 difference, all repaired")
}

// A part that is verified says nothing about the rest, and what was never walked is a difference where it is asked for.
func TestVerifyOfARange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure()
	w.run(0, "backfill", "--from", "-10h", "--to", "-2h")
	contains(t, w.run(0, "verify", "--from", "-8h", "--to", "-4h").out, " windows from ", "counts agree")
	if got := w.run(0, "sql", "--format", "tsv", "SELECT count() AS n FROM sync_verifications WHERE whole = 1").out; got != "n\n0\n" {
		t.Errorf("a part is recorded as the whole: %q", got)
	}
	r := w.run(4, "verify", "--from", "-20h", "--account", "main")
	contains(t, r.out, "missing", "never listed")
	contains(t, w.run(0, "verify", "--from", "-20h", "--repair").out, "1 difference, all repaired")
	contains(t, w.run(0, "verify", "--from", "-20h").out, "counts agree")
}

// A source that refuses leaves nothing proven, whatever the warehouse's own numbers say.
func TestVerifyThatCannotAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.configure()
	w.run(0, "backfill", "--from", "-24h")
	w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Error: &simulator.Error{Status: 403, Code: "NoPermission", Message: "no"}}
	})
	r := w.run(3, "verify")
	contains(t, r.err, "NoPermission")
	contains(t, r.out, "not finished")
	if v := decode[verified](t, w.run(3, "verify", "--json").out); v.OK || v.Accounts[0].Error == "" {
		t.Errorf("%+v", v)
	}
	contains(t, w.run(1, "status").out, "was not finished")
}

func TestRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure()
	contains(t, w.run(0, "rejects").out, "There are no open rejects.")
	ids := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))
	money, gone := ids[3], ids[5]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: []string{money}})
	w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID == gone {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter", Message: "no such order"}}
		}
		return script.Fault(f)
	})
	contains(t, w.run(1, "backfill", "--from", "-24h").err, "1 record rejected", "1 order without items", "main, one of them: bss GetOrderDetail")
	contains(t, w.run(1, "status").out, "2 records could not be stored: `ordersync rejects`", "1 order is without line items")

	type line struct {
		ID, Account, Status, Stage, Reason, Message string
		OrderID                                     string `json:"order_id"`
		AcceptedBy                                  string `json:"accepted_by"`
		Note                                        string
		Attempts                                    int
		NextAttempt                                 *time.Time `json:"next_attempt"`
	}
	list := func(args ...string) map[string]line {
		out := map[string]line{}
		for _, l := range decode[[]line](t, w.run(0, append([]string{"rejects", "--json"}, args...)...).out) {
			out[l.OrderID] = l
		}
		return out
	}
	open := list()
	if len(open) != 2 || open[money].Reason != "money" || open[gone].Stage != "detail" || open[gone].NextAttempt == nil || open[money].Attempts != 1 {
		t.Fatalf("%+v", open)
	}
	contains(t, w.run(0, "rejects").out, open[money].ID, money, gone, "bad_request", "next attempt")
	if raw := w.run(0, "rejects", "--raw", open[money].ID[:8]).out; !strings.HasPrefix(raw, "{") || !strings.Contains(raw, money) {
		t.Errorf("raw: %s", raw)
	}

	contains(t, w.run(1, "rejects", "accept", "no-such", "--note", "x").err, `no reject has an id that begins with "no-such"`)
	contains(t, w.run(1, "rejects", "accept", "", "--note", "x").err, "the id is empty")
	contains(t, w.run(2, "rejects", "accept", open[gone].ID, "--note", " ").err, "--note is required")
	contains(t, w.run(1, "rejects", "accept", open[gone].ID, "--note", "x", "--account", "other").err, "no reject has an id")
	contains(t, w.run(2, "rejects", "--account", "other").err, `there is no account "other"`)
	contains(t, w.run(0, "rejects", "accept", open[gone].ID[:10], "--note", "it is gone", "--by", "me").out, "accepted by me", open[gone].ID)
	contains(t, w.run(1, "rejects", "accept", open[gone].ID, "--note", "again").err, "was accepted already, by me", "it is gone")
	r := w.run(0, "rejects")
	contains(t, r.out, money, "1 accepted or resolved reject not shown")
	if strings.Contains(r.out, gone) {
		t.Errorf("the accepted one is listed:\n%s", r.out)
	}
	if l := list("--all")[gone]; l.Status != "accepted" || l.Note != "it is gone" || l.AcceptedBy != "me" || l.NextAttempt != nil {
		t.Errorf("%+v", l)
	}
	r = w.run(1, "status")
	contains(t, r.out, "main: 1 reject accepted by an operator", "1 record could not be stored")
	if problems, _, _ := strings.Cut(r.out, "\n\n"); strings.Contains(problems, "without ") {
		t.Errorf("an accepted reject is still a problem:\n%s", r.out)
	}
	contains(t, w.run(1, "backfill", "--from", "-24h").err, "1 record rejected") // it is tried again, and nothing else is

	w.account.SetFault(nil)
	w.run(0, "backfill", "--from", "-24h")
	if l := list("--all")[money]; l.Status != "resolved" {
		t.Errorf("%+v", l)
	}
	contains(t, w.run(1, "rejects", "accept", open[money].ID, "--note", "x").err, "became a row after all")
	contains(t, w.run(0, "status").out, "up to date")
}

// Prefixes that fit several are refused, with the ids that they fit.
func TestRejectsAmbiguous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	for i, id := range []string{"aa01", "aa02"} {
		w.sql("INSERT INTO reject_rows (account, id, stage, first_seen, last_seen, version) VALUES ('a%d', '%s', 'list', now(), now(), 1)", i, id)
	}
	contains(t, w.run(1, "rejects", "accept", "aa", "--note", "x").err, `2 rejects have an id that begins with "aa" (aa01 of a0, aa02 of a1)`)
	contains(t, w.run(0, "rejects", "accept", "aa", "--note", "x", "--account", "a1", "--json").out, `"id": "aa02"`, `"status": "accepted"`, `"accepted_by"`)
}

// Replay needs no call and no credentials: whatever is in the rows, the payloads make them right again.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 200)
	w.configure()
	contains(t, w.run(1, "replay").err, "nothing was ever synced")
	w.run(0, "backfill", "--from", "-24h")
	w.sql("ALTER TABLE order_rows UPDATE pretax_amount = 1, product_code = 'x' WHERE order_id > '0'")
	contains(t, w.run(4, "verify", "--deep").out, "altered")
	calls := w.account.Calls()
	w.withoutSecret = true
	contains(t, w.run(2, "backfill", "--from", "-24h").err, "TEST_SECRET is not set")
	r := w.run(0, "replay")
	contains(t, r.out, "orders rewritten", "200", "without a call")
	type replayed struct {
		Accounts []struct {
			Account                 string
			Changed, Items, Pending int
		}
	}
	if again := decode[replayed](t, w.run(0, "replay", "--json", "--from", "-24h").out); again.Accounts[0].Changed != 0 {
		t.Errorf("a second replay rewrites %+v", again)
	}
	for _, args := range [][]string{{"status"}, {"rejects"}, {"sql", "SELECT 1"}} {
		if r := w.runWith("", args...); strings.Contains(r.err, "TEST_SECRET") {
			t.Errorf("%v: %s", args, r.err)
		}
	}
	if now := w.account.Calls(); fmt.Sprint(now) != fmt.Sprint(calls) {
		t.Errorf("calls: %v, then %v", calls, now)
	}
	w.withoutSecret = false
	contains(t, w.run(0, "verify", "--deep").out, "payloads agree")
}

// sql changes the warehouse by hand.
func (w *world) sql(query string, args ...any) {
	w.t.Helper()
	query = fmt.Sprintf(query, args...)
	if strings.HasPrefix(query, "ALTER") {
		query += " SETTINGS mutations_sync = 2"
	}
	if err := sinktest.Conn(w.t, w.database).Exec(w.t.Context(), query); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// A clock that is far off is told, and does no harm: calls are signed, and windows closed, by the vendor's.
func TestAWrongClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.configure()
	w.account.SetClock(-90 * time.Minute)
	contains(t, w.run(0, "check").out, "warn   clock of main", "ahead of the vendor's", "NTP")
	w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Header: map[string][]string{"Age": {"60"}}}
	})
	contains(t, w.run(0, "check").out, "clock of main")
	w.account.SetClock(0)
	contains(t, w.run(0, "check").out, "cannot be compared with the vendor's", "cache")
	w.account.SetFault(nil)
	w.account.SetClock(-90 * time.Minute)
	w.run(0, "backfill", "--from", "-24h")
	if n := w.run(0, "sql", "--format", "tsv", "SELECT count() AS n FROM sync_windows WHERE verdict = 'complete' AND window_end > now() - INTERVAL 80 MINUTE").out; n != "n\n0\n" {
		t.Errorf("closed by our clock: %q", n)
	}
}
