package warehousetest_test

import (
	"testing"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

// The program finds nothing to do in a copy: every table, view, column and comment is as it would make them.
func TestDatabaseIsUpToDate(t *testing.T) {
	t.Parallel()
	for range 2 { // the first is the model
		addr, database := warehousetest.Database(t)
		upToDate(t, sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	}
}

func TestClusterIsUpToDate(t *testing.T) {
	t.Parallel()
	for _, cluster := range []string{sinktest.TwoShards, sinktest.TwoReplicas} {
		for range 2 {
			n := warehousetest.Cluster(t, cluster)
			upToDate(t, sink.Config{Addr: n.Addrs(0), Database: n.Database, Cluster: cluster, EachNode: true})
		}
	}
}

func upToDate(t *testing.T, cfg sink.Config) {
	t.Helper()
	s, err := sink.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Made().Empty() {
		t.Errorf("there was left to do: %s", s.Made())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
