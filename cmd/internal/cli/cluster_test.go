package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// configureCluster writes ordersync.yaml for a cluster of two shards, of which only one server is named.
func (w *world) configureCluster(n *sinktest.Nodes, node int) {
	w.t.Helper()
	w.write("ordersync.yaml", fmt.Sprintf(`accounts:
  - name: main
    source: bss
    endpoint: %s
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 1000, detail: 1000}
clickhouse: {addr: [%q], database: %s, cluster: %s}
`, w.url, n.Addr(node), n.Database, sinktest.TwoShards))
}

// The verbs work on a cluster, through either of its servers.
func TestVerbsOnACluster(t *testing.T) {
	t.Parallel()
	n := warehousetest.Cluster(t, sinktest.TwoShards)
	w := newWorld(t, 300)
	w.configureCluster(n, 0)
	w.run(0, "backfill", "--from", "-24h")
	for node := range 2 {
		w.configureCluster(n, node)
		w.run(0, "check")
		w.run(0, "status")
		w.run(0, "verify", "--from", "-24h", "--deep")
		contains(t, w.run(0, "sql", "--format", "csv", "SELECT count() FROM orders").out, fmt.Sprint(w.account.Len()))
		_, queries := blocks(t, "sql")
		var half strings.Builder // the other half goes through the other server
		for i := node; i < len(queries); i += 2 {
			half.WriteString(queries[i] + ";\n")
		}
		// The history of this warehouse is seconds old.
		w.run(0, "sql", "--format", "csv", strings.ReplaceAll(half.String(), "INTERVAL 1 MINUTE", "INTERVAL 0 SECOND"))
	}
}
