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
		s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
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
}
