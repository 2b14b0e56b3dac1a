package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A ledger has windows of one length. Another one is refused before anything is walked, by all that walk or verify, for a
// new account as well, and check says so; set back, all is well (I2).
func TestAnotherWindowLengthIsRefused(t *testing.T) {
	t.Parallel()
	for was, other := range map[string][]string{"30m": {"1h", "15m", "24h"}, "1h": {"24h", "30m"}} {
		t.Run(was, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 50)
			w.configure(`cron: "@every 1s"`, `cron: "@every 1s", window: `+was+`, lookback: 24h`)
			w.run(0, "backfill", "--from", "-10h")
			config, err := os.ReadFile(filepath.Join(w.dir, "ordersync.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			w.account.ResetCounters()
			for _, length := range other {
				text := strings.Replace(string(config), "window: "+was, "window: "+length, 1)
				w.write("ordersync.yaml", strings.Replace(text, "clickhouse:", `  - name: new
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
clickhouse:`, 1))
				for _, verb := range [][]string{
					{"backfill", "--from", "-5h"}, {"backfill", "--from", "-5h", "--account", "new"}, {"run"}, {"verify"}, {"verify", "--deep", "--repair"},
					{"replay", "--from", "-5h"},
				} {
					contains(t, w.run(2, verb...).err, "schedule.window", "filled in windows of "+was, "set it back to "+was)
				}
			}
			for api, n := range w.account.Calls() {
				if n.Total > 0 {
					t.Errorf("%d calls of %s were made", n.Total, api)
				}
			}
			contains(t, w.run(2, "check").out, "FAILED", "set it back to "+was)
			w.write("ordersync.yaml", string(config))
			w.run(0, "verify")
			w.run(0, "check")
		})
	}
}
