package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

type verified struct {
	OK             bool
	Calls          int
	Left, Repaired int
	Accounts       []struct {
		Account        string
		Windows, Calls int
		Differences    int
		Repaired       int
		Error          string
	}
	Differences []struct {
		Kind     string
		OrderID  string `json:"order_id"`
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
	contains(t, r.out, "main: ", " windows from ", ", 1 call: all agrees")
	contains(t, w.run(0, "status").out, "main: verified", "by 1 call: the copy agrees with the source")
	v := decode[verified](t, w.run(0, "verify", "--deep", "--json").out)
	if !v.OK || v.Left != 0 || len(v.Differences) != 0 || v.Calls < 2 || v.Accounts[0].Calls != v.Calls || v.Accounts[0].Windows < 23 {
		t.Errorf("%+v", v)
	}

	ids := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))
	w.sql("ALTER TABLE order_rows DELETE WHERE order_id IN ('%s', '%s')", ids[0], ids[200])
	w.sql("ALTER TABLE order_item_rows UPDATE region = 'nowhere' WHERE order_id = '%s'", ids[100])
	r = w.run(4, "verify", "--deep")
	contains(t, r.out, "ledger", "altered", ids[100], "differences; --repair walks these windows again", "│ no ")
	if r.err != "" {
		t.Errorf("standard error: %s", r.err)
	}
	contains(t, w.run(1, "status").out, "left 5 differences: `ordersync verify --repair`")
	if got := w.run(0, "sql", "--format", "tsv", "SELECT differences, deep, whole FROM sync_verifications ORDER BY finished_at DESC LIMIT 1").out; got != "differences\tdeep\twhole\n5\t1\t1\n" {
		t.Errorf("recorded: %q", got)
	}

	v = decode[verified](t, w.run(0, "verify", "--deep", "--repair", "--json").out)
	if !v.OK || v.Left != 0 || v.Repaired != 5 || !v.Differences[0].Repaired {
		t.Errorf("%+v", v)
	}
	contains(t, w.run(0, "verify", "--deep").out, "all agrees")
	contains(t, w.run(0, "status").out, "the copy agrees with the source")
}

// A part that is verified says nothing about the rest, and what was never walked is a difference where it is asked for.
func TestVerifyOfARange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure()
	w.run(0, "backfill", "--from", "-10h", "--to", "-2h")
	contains(t, w.run(0, "verify", "--from", "-8h", "--to", "-4h").out, " windows from ", "all agrees")
	if got := w.run(0, "sql", "--format", "tsv", "SELECT count() AS n FROM sync_verifications WHERE whole = 1").out; got != "n\n0\n" {
		t.Errorf("a part is recorded as the whole: %q", got)
	}
	r := w.run(4, "verify", "--from", "-20h", "--account", "main")
	contains(t, r.out, "missing", "never walked")
	contains(t, w.run(0, "verify", "--from", "-20h", "--repair").out, "1 difference, all repaired")
	contains(t, w.run(0, "verify", "--from", "-20h").out, "all agrees")
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
	w.run(0, "migrate")
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
	contains(t, w.run(1, "backfill", "--from", "-24h").err, "1 records rejected", "1 orders without their items")
	contains(t, w.run(1, "status").out, "2 records could not be stored: `ordersync rejects`", "1 orders are without their items")

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
	contains(t, w.run(0, "rejects", "accept", open[gone].ID[:10], "--note", "it is gone", "--by", "me").out, "accepted by me", open[gone].ID)
	contains(t, w.run(1, "rejects", "accept", open[gone].ID, "--note", "again").err, "was accepted already, by me", "it is gone")
	r := w.run(0, "rejects")
	contains(t, r.out, money, "1 accepted or resolved ones are not shown")
	if strings.Contains(r.out, gone) {
		t.Errorf("the accepted one is listed:\n%s", r.out)
	}
	if l := list("--all")[gone]; l.Status != "accepted" || l.Note != "it is gone" || l.AcceptedBy != "me" || l.NextAttempt != nil {
		t.Errorf("%+v", l)
	}
	r = w.run(1, "status")
	contains(t, r.out, "main: 1 reject accepted by an operator", "1 records could not be stored")
	if problems, _, _ := strings.Cut(r.out, "\n\n"); strings.Contains(problems, "without their items") {
		t.Errorf("an accepted reject is still a problem:\n%s", r.out)
	}
	contains(t, w.run(1, "backfill", "--from", "-24h").err, "1 records rejected") // it is tried again, and nothing else is

	w.account.SetFault(nil)
	w.run(0, "backfill", "--from", "-24h")
	if l := list("--all")[money]; l.Status != "resolved" {
		t.Errorf("%+v", l)
	}
	contains(t, w.run(1, "rejects", "accept", open[money].ID, "--note", "x").err, "became a row after all")
	contains(t, w.run(0, "status").out, "all is well")
}

// Prefixes that fit several are refused, with the ids that they fit.
func TestRejectsAmbiguous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.run(0, "migrate")
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
	contains(t, w.run(0, "verify", "--deep").out, "all agrees")
}

// sql changes the warehouse by hand.
func (w *world) sql(query string, args ...any) {
	w.t.Helper()
	query = fmt.Sprintf(query, args...)
	if strings.HasPrefix(query, "ALTER") {
		query += " SETTINGS mutations_sync = 2"
	}
	w.run(0, "sql", "--write", query)
}
