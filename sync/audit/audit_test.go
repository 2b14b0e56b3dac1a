package audit_test

import (
	"testing"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/internal/worldtest"
	"github.com/ordersync/ordersync/sync/simulator"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

var start = worldtest.Start

// world is a world with what the tests of this package do in it.
type world struct{ *worldtest.World }

func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	return &world{worldtest.New(t, o)}
}
