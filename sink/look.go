package sink

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Look says what Open would do, and changes nothing. It refuses what Open refuses: objects of our names that are not
// ours, and a warehouse of a newer version. The version is the server's.
func Look(ctx context.Context, cfg Config) (plan *Plan, version string, err error) {
	if err := cfg.complete(); err != nil {
		return nil, "", err
	}
	nodes, err := lookAtAll(ctx, cfg)
	if err != nil {
		return nil, "", err
	}
	return planOf(nodes), nodes[0].version, nil
}

// lookAtAll looks at each server that has to be looked at by itself: one, but with Config.EachNode.
func lookAtAll(ctx context.Context, cfg Config) (nodes []*found, err error) {
	for _, node := range cfg.nodes() {
		f, err := look(ctx, node)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, f)
	}
	return nodes, nil
}

// object is a table, view or dictionary of the database on one server.
type object struct {
	name, engine, comment string
	engineFull, create    string // of Distributed tables and materialized views only
	columns               []schema.Column
	comments              map[string]string // of the columns
}

// kind is what an object is for a person.
func (o *object) kind() string {
	switch o.engine {
	case "View":
		return "view"
	case "MaterializedView":
		return "materialized view"
	case "Dictionary":
		return "dictionary"
	}
	return "table (" + o.engine + ")"
}

// found is what is in a database, on each server by its name.
type found struct {
	cfg      Config
	version  string // of the server
	database bool
	nodes    map[string]map[string]*object
	versions []int64  // of the migrations that were run
	detached []string // names of ours that tables have which the server does not show
	adopting bool     // the warehouse is of a program that made no marks
}

// look reads what is there and refuses what is not ours. It connects without naming the database, since the server
// refuses one that does not exist, and the embedded server does not survive it.
func look(ctx context.Context, cfg Config) (f *found, err error) {
	conn, err := clickhouse.Open(cfg.options(""))
	if err != nil {
		return nil, connectError(cfg, "connect", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.Ping(ctx); err != nil {
		return nil, connectError(cfg, "connect", err)
	}
	server, err := conn.ServerVersion()
	if err != nil {
		return nil, connectError(cfg, "connect", err)
	}
	f = &found{cfg: cfg, version: server.Version.String(), nodes: map[string]map[string]*object{}}
	for _, step := range []func(context.Context, driver.Conn) error{f.readObjects, f.readVersions} {
		if err := step(ctx, conn); err != nil {
			return nil, connectError(cfg, "look at database "+cfg.Database, err)
		}
	}
	for _, step := range []func() error{f.attached, f.layout, f.foreign, f.newer, f.complete, f.zone} {
		if err := step(); err != nil {
			return nil, &ConnectError{Op: "look at database " + cfg.Database, Addr: strings.Join(cfg.Addr, ","), Err: err}
		}
	}
	return f, nil
}

// everywhere is a table of the database system on all servers of a cluster.
func (f *found) everywhere(table string) string {
	if f.cfg.Cluster == "" || f.cfg.EachNode || f.cfg.here {
		return "system." + table
	}
	return "clusterAllReplicas(" + schema.Quote(f.cfg.Cluster) + ", system." + table + ")"
}

// node names a server in a query.
const node = "hostName() || ':' || toString(tcpPort())"

func (f *found) readObjects(ctx context.Context, conn driver.Conn) error {
	// Each server answers with a row of its own, so that one without the database is seen too.
	err := each(ctx, conn, "SELECT "+node+", name FROM "+f.everywhere("databases")+" WHERE name IN (?, 'system')", []any{f.cfg.Database},
		func(rows driver.Rows) error {
			var node, name string
			err := rows.Scan(&node, &name)
			if f.nodes[node] == nil {
				f.nodes[node] = map[string]*object{}
			}
			f.database = f.database || name != "system"
			return err
		})
	if err != nil || !f.database {
		return err
	}
	names := f.names()
	if err := f.readDetached(ctx, conn, names); err != nil {
		return err
	}
	err = each(ctx, conn, "SELECT "+node+", name, engine, comment FROM "+f.everywhere("tables")+
		" WHERE database = ? AND name IN (?)", []any{f.cfg.Database, names}, func(rows driver.Rows) error {
		var node string
		o := &object{comments: map[string]string{}}
		err := rows.Scan(&node, &o.name, &o.engine, &o.comment)
		if f.nodes[node] != nil {
			f.nodes[node][o.name] = o
		}
		return err
	})
	if err != nil {
		return err
	}
	// The server parses the whole definition for these columns, which for all views takes longer than the rest of a look.
	err = each(ctx, conn, "SELECT "+node+", name, engine_full, create_table_query FROM "+f.everywhere("tables")+
		" WHERE database = ? AND name IN (?) AND engine IN ('Distributed', 'MaterializedView')", []any{f.cfg.Database, names}, func(rows driver.Rows) error {
		var node, name, engine, create string
		err := rows.Scan(&node, &name, &engine, &create)
		if o := f.nodes[node][name]; o != nil {
			o.engineFull, o.create = engine, create
		}
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, conn, "SELECT "+node+" AS node, table, name, type, comment FROM "+f.everywhere("columns")+
		" WHERE database = ? AND table IN (?) ORDER BY node, table, position", []any{f.cfg.Database, names}, func(rows driver.Rows) error {
		var node, table, name, kind, comment string
		err := rows.Scan(&node, &table, &name, &kind, &comment)
		if o := f.nodes[node][table]; o != nil {
			o.columns = append(o.columns, schema.Column{Name: name, Type: kind})
			o.comments[name] = comment
		}
		return err
	})
}

// readDetached finds tables that were detached. The server shows them nowhere else, and makes no other of their name.
func (f *found) readDetached(ctx context.Context, conn driver.Conn, names []string) error {
	err := each(ctx, conn, "SELECT DISTINCT table FROM "+f.everywhere("detached_tables")+" WHERE database = ? AND table IN (?) ORDER BY table",
		[]any{f.cfg.Database, names}, func(rows driver.Rows) error {
			var name string
			err := rows.Scan(&name)
			f.detached = append(f.detached, name)
			return err
		})
	if exception := (*clickhouse.Exception)(nil); errors.As(err, &exception) && slices.Contains([]int32{60, 497}, exception.Code) {
		return nil // the server has no such list yet, or does not let us see it
	}
	return err
}

// names are those of all our objects. In a cluster a table has a second one on each server.
func (f *found) names() []string {
	names := []string{schema.VersionTable}
	for _, t := range schema.Tables() {
		names = append(names, f.forms(t)...)
	}
	for _, v := range schema.Views() {
		names = append(names, v.Name)
	}
	return append(names, former)
}

// forms are the names of a table in the database. A materialized view has one, in a cluster too.
func (f *found) forms(t schema.Table) []string {
	if f.cfg.Cluster == "" || t.Feeds != "" {
		return []string{t.Name}
	}
	return []string{f.cfg.cluster().Local(t.Name), t.Name}
}

// readVersions reads which migrations were run, where goose's table is ours, or may be.
func (f *found) readVersions(ctx context.Context, conn driver.Conn) error {
	for _, objects := range f.nodes {
		o := objects[schema.VersionTable]
		if o == nil {
			continue
		}
		if !slices.ContainsFunc(o.columns, func(c schema.Column) bool { return c.Name == "version_id" }) {
			return nil // not goose's at all
		}
		// A migration that was undone has a newer row with is_applied = 0.
		return each(ctx, conn, "SELECT toInt64(version_id) AS v FROM "+quoteIdentifier(f.cfg.Database)+"."+schema.VersionTable+
			" GROUP BY v HAVING argMax(is_applied, tstamp) = 1 AND v > 0 ORDER BY v", nil, func(rows driver.Rows) error {
			var v int64
			err := rows.Scan(&v)
			f.versions = append(f.versions, v)
			return err
		})
	}
	return nil
}

// distributed finds the cluster in the engine of a Distributed table, as the server shows it.
var distributed = regexp.MustCompile(`^Distributed\('([^']*)'`)

// layout compares the tables that are there with clickhouse.cluster: CREATE … IF NOT EXISTS would pass over tables of
// the other kind without a word, and what is written to a cluster without the settings of one is not confirmed (I1).
func (f *found) layout() error {
	for _, objects := range f.nodes {
		orders := objects["order_rows"]
		if orders == nil || !strings.HasSuffix(orders.comment, schema.Mark) && !like(tableNamed("order_rows"), orders) {
			continue
		}
		cluster := ""
		if m := distributed.FindStringSubmatch(orders.engineFull); m != nil {
			cluster = m[1]
		}
		switch {
		case cluster == f.cfg.Cluster:
		case cluster == "":
			return fmt.Errorf("its tables are those of one server, and clickhouse.cluster is %s: give another "+
				"clickhouse.database, and copy the rows as sink/README.md says under \"A cluster\"", f.cfg.Cluster)
		default:
			return fmt.Errorf("its tables are those of the cluster %s: set clickhouse.cluster: %[1]s", cluster)
		}
	}
	return nil
}

// tableNamed finds a table by its name.
func tableNamed(name string) schema.Table {
	tables := schema.Tables()
	return tables[slices.IndexFunc(tables, func(t schema.Table) bool { return t.Name == name })]
}

// each runs a query and scans its rows one by one.
func each(ctx context.Context, conn driver.Conn, query string, args []any, scan func(driver.Rows) error) (err error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
