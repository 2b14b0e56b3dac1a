package cli_test

import (
	"strings"
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/sync/simulator"
)

// Whatever a vendor or the warehouse refuses, each verb ends with the cause in its words and with what cures it, as the diagnosis says
// both that status shows.
func TestVerbsEndWithTheDiagnosis(t *testing.T) {
	t.Parallel()
	vendor := func(status int, code string) func(w *world) {
		return func(w *world) {
			w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
				return simulator.Action{Error: &simulator.Error{Status: status, Code: code, Message: "m"}}
			})
		}
	}
	for name, c := range map[string]struct {
		arrange func(w *world)
		says    string
		code    int
		writes  bool // only verbs that write rows meet it
	}{
		"secret":     {func(w *world) { w.configureAgain("${TEST_SECRET}", "another") }, "auth: SignatureDoesNotMatch", 3, false},
		"permission": {vendor(403, "NoPermission"), "auth: NoPermission", 3, false},
		"away":       {vendor(503, "ServiceUnavailable"), "unavailable: ServiceUnavailable: m [HTTP 503] [request ", 1, false},
		"no answer":  {vendor(400, "InvalidParameter"), "bad_request: InvalidParameter", 1, false},
		"no rows": {func(w *world) {
			for _, table := range []string{"order_rows", "order_versions", "tracked_order_rows", "product_rows"} {
				w.sql("ALTER TABLE %s ADD CONSTRAINT full CHECK 0", table)
			}
		}, "code: 469", 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 400) // so many that there are some at any time of the day
			w.configure()
			w.run(0, "backfill", "--from", "-12h")
			id := strings.TrimSpace(w.run(0, "sql", "SELECT order_id FROM orders ORDER BY payment_status = 'Unpaid' DESC LIMIT 1 FORMAT TSV").out)
			c.arrange(w)
			first := w.run(c.code, "backfill", "--from", "-30h").err
			stands := decode[struct {
				Accounts []struct{ Diagnosis diagnosis.Diagnosis }
			}](t, w.run(1, "status", "--json").out).Accounts[0].Diagnosis
			contains(t, stands.Says, c.says)
			contains(t, first, stands.Says, stands.Cure)
			cures := stands.Cure
			if name == "permission" { // it is another one for each call
				cures = "needs a policy that allows"
			}
			verbs := [][]string{{"verify"}, {"track", id}, {"products"}, {"cancel", "--dry-run", id}}
			if c.writes {
				verbs = [][]string{{"track", id}, {"products"}}
			}
			for _, args := range verbs {
				text := w.run(c.code, args...).err
				for _, part := range []string{c.says, cures} {
					if !strings.Contains(text, part) {
						t.Errorf("%v: %q is not in:\n%s", args, part, text)
					}
				}
			}
		})
	}
}
