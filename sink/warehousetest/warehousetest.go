// Package warehousetest gives tests a warehouse: a database of a real ClickHouse in which all tables and views are there
// already. One is made as the program makes it; others are made by the statements that the server then shows, which costs a
// sixth of running all migrations.
package warehousetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// A model is the warehouse that the others are like.
type model struct {
	once       sync.Once
	err        error
	database   string     // the first test's: its name is nowhere else in the statements
	statements [][]string // of each server
}

var (
	single   model
	clusters = map[string]*model{sinktest.TwoShards: {}, sinktest.TwoReplicas: {}}
)

// Database is a database of [sinktest.Database] with all tables and views, which are empty.
func Database(t testing.TB) (addr, database string) {
	t.Helper()
	addr, database = sinktest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database}
	single.fill(t, cfg, func(int) driver.Conn { return sinktest.Conn(t, database) })
	return addr, database
}

// Cluster is like [sinktest.Cluster], with all tables and views of the given cluster, which are empty.
func Cluster(t testing.TB, cluster string) *sinktest.Nodes {
	t.Helper()
	n := sinktest.Cluster(t)
	cfg := sink.Config{Addr: n.Addrs(0), Database: n.Database, Cluster: cluster, EachNode: true}
	clusters[cluster].fill(t, cfg, func(node int) driver.Conn { return n.Conn(t, node) })
	return n
}

// fill makes the tables and views in an empty database, on each server by itself.
func (m *model) fill(t testing.TB, cfg sink.Config, conn func(node int) driver.Conn) {
	t.Helper()
	m.once.Do(func() { m.err = m.make(t.Context(), cfg, conn) })
	if m.err != nil {
		t.Fatal("make the warehouse that others are like: ", m.err)
	}
	if cfg.Database == m.database {
		return
	}
	for node, statements := range m.statements {
		conn := conn(node)
		for _, statement := range statements {
			if err := conn.Exec(t.Context(), strings.ReplaceAll(statement, m.database, cfg.Database)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// OpenRejects returns the rejects of a stream that did not become rows, the accepted ones included, oldest first.
func OpenRejects(ctx context.Context, s *sink.Sink, stream schema.Stream) ([]schema.Reject, error) {
	all, err := s.FindAccountRejects(ctx, stream.Account, "")
	return slices.DeleteFunc(all, func(r schema.Reject) bool { return r.Stream != stream || r.Resolved }), err
}

// make makes a warehouse and reads how to make another. Views may come in any order, since each names its columns, but for the
// materialized ones, which need their tables. Which migrations were run is said last.
func (m *model) make(ctx context.Context, cfg sink.Config, conn func(node int) driver.Conn) error {
	cfg.Username = "default"
	s, err := sink.Open(ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	m.database = cfg.Database
	for node := range cfg.Addr {
		var statements []string
		if err := conn(node).QueryRow(ctx, `SELECT arrayPushBack(
			(SELECT groupArray(create_table_query) FROM (SELECT * FROM system.tables WHERE database = currentDatabase() ORDER BY engine LIKE '%View')),
			(SELECT assumeNotNull('INSERT INTO `+schema.VersionTable+` (version_id, is_applied) SELECT arrayJoin(' || toString(groupArray(version_id)) || '), 1')
				FROM `+schema.VersionTable+`)::String)`).Scan(&statements); err != nil {
			return fmt.Errorf("server %d: %w", node, err)
		}
		m.statements = append(m.statements, statements)
	}
	return nil
}
