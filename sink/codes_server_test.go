package sink_test

import (
	"fmt"
	"testing"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// The names in the tables are those of a real server, so a code that was mistyped is found.
func TestCodesAreTheServers(t *testing.T) {
	t.Parallel()
	_, database := sinktest.Database(t)
	conn := sinktest.Conn(t, database)
	for code, name := range sink.Codes() {
		equal(t, texts(t, conn, fmt.Sprintf("SELECT errorCodeToName(%d)", code)), []string{"('" + name + "')"})
	}
}
