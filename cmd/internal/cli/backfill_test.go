package cli_test

import (
	"strings"
	"testing"
	"time"
)

// The table of a backfill has a line for an account that something came of; --json has all of them.
func TestBackfillTellsOfWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.configure("clickhouse:", `  - name: second
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
clickhouse:`)
	out := w.run(0, "backfill", "--from", "24h").out
	contains(t, out, "│ main ", "│ second ", "│     20 │")

	out = w.run(0, "backfill", "--from", "24h").out
	contains(t, out, " complete already and skipped", "There was nothing new.")
	if strings.Contains(out, "│") {
		t.Error(out)
	}
	w.account.Add(1, time.Now())
	out = w.run(0, "backfill", "--from", "24h", "--account", "second").out
	contains(t, out, "│ second ", "open: the window")
	out = w.run(0, "backfill", "--from", "24h").out
	contains(t, out, "│ main ", "1 more had nothing new.")
	if strings.Contains(out, "second") {
		t.Error(out)
	}
	if r := decode[struct{ Accounts []any }](t, w.run(0, "backfill", "--from", "24h", "--json").out); len(r.Accounts) != 2 {
		t.Errorf("%+v", r)
	}
}
