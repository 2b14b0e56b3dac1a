// Package warehousetest gives tests a warehouse: a database of a real ClickHouse in which all tables and views are there
// already. One is made as the program makes it; others are made by the statements that the server then shows, which costs a
// sixth of running all migrations.
package warehousetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// model is the warehouse that the others are like.
var model struct {
	once       sync.Once
	err        error
	database   string // the first test's: its name is nowhere else in the statements
	statements []string
}

// Database is a database of [sinktest.Database] with all tables and views, which are empty.
func Database(t testing.TB) (addr, database string) {
	t.Helper()
	addr, database = sinktest.Database(t)
	model.once.Do(func() { model.err = makeModel(t, addr, database) })
	if model.err != nil {
		t.Fatal("make the warehouse that others are like: ", model.err)
	}
	if database == model.database {
		return addr, database
	}
	conn := sinktest.Conn(t, database)
	for _, statement := range model.statements {
		if err := conn.Exec(t.Context(), strings.ReplaceAll(statement, model.database, database)); err != nil {
			t.Fatal(err)
		}
	}
	return addr, database
}

// OpenRejects returns the rejects of a stream that did not become rows, the accepted ones included, oldest first.
func OpenRejects(ctx context.Context, s *sink.Sink, stream schema.Stream) ([]schema.Reject, error) {
	all, err := s.FindAccountRejects(ctx, stream.Account, "")
	return slices.DeleteFunc(all, func(r schema.Reject) bool { return r.Stream != stream || r.Resolved }), err
}

// makeModel makes a warehouse and reads how to make another. Views may come in any order, since each names its columns, but
// for the materialized ones, which need their tables. Which migrations were run is said last.
func makeModel(t testing.TB, addr, database string) error {
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		return err
	}
	defer s.Close()
	model.database = database
	return s.Conn().QueryRow(t.Context(), `SELECT arrayPushBack(
		(SELECT groupArray(create_table_query) FROM (SELECT * FROM system.tables WHERE database = currentDatabase() ORDER BY engine LIKE '%View')),
		(SELECT assumeNotNull('INSERT INTO `+schema.VersionTable+` (version_id, is_applied) SELECT arrayJoin(' || toString(groupArray(version_id)) || '), 1')
			FROM `+schema.VersionTable+`)::String)`).Scan(&model.statements)
}
