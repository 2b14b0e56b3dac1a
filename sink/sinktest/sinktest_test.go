package sinktest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sink/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

func TestDatabaseIsEmptyAndOneTestsOwn(t *testing.T) {
	t.Parallel()
	addr, mine := sinktest.Database(t)
	again, other := sinktest.Database(t)
	if addr != again || mine == other || !strings.HasPrefix(mine, "testdatabaseisempty") {
		t.Fatalf("%s %s, %s %s", addr, mine, again, other)
	}
	conn := sinktest.Conn(t, mine)
	for _, q := range []string{
		"CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n",
		"INSERT INTO t VALUES (1)",
	} {
		if err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	var n uint64
	err := conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = $1", other).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("the other database has %d tables, %v", n, err)
	}
}

func TestDatabaseIsEmptied(t *testing.T) {
	t.Parallel()
	var database string
	t.Run("Ünïcode name/with all'kinds`of signs "+strings.Repeat("x", 100), func(t *testing.T) {
		_, database = sinktest.Database(t)
		for _, q := range []string{"CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n", "CREATE VIEW v AS SELECT * FROM t"} {
			if err := sinktest.Conn(t, database).Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	})
	var n uint64
	err := sinktest.Conn(t, "default").QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = $1", database).Scan(&n)
	if err != nil || n != 0 || database == "" {
		t.Errorf("%q has %d tables, %v", database, n, err)
	}
}

func TestOneServer(t *testing.T) {
	t.Parallel()
	if a, b := sinktest.Server(t), sinktest.Server(t); a != b || !a.Owner() {
		t.Errorf("%v %v", a, b)
	}
}

// A server of one's own is used without starting one, and "skip" skips.
func TestChoices(t *testing.T) {
	own := sinktest.Server(t).Addr()
	t.Setenv(sinktest.Variable, "addr:"+own)
	if addr, _ := sinktest.Database(t); addr != own {
		t.Errorf("addr = %s, want %s", addr, own)
	}
	skipped := false
	for _, value := range []string{"skip", "addr:" + own} {
		t.Run(value, func(t *testing.T) {
			t.Cleanup(func() { skipped = t.Skipped() })
			os.Setenv(sinktest.Variable, value) // restored by the Setenv above
			sinktest.Server(t)
		})
		if !skipped {
			t.Errorf("%s did not skip", value)
		}
	}
}
