package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Plan is what Open would do to a warehouse. A warehouse that is up to date has an empty one.
type Plan struct {
	Database   bool     // make the database
	Tables     []string // make these, which are missing
	Migrations []int64  // run these
	Engines    []string // give these the engine that they have in a new warehouse
	Views      []string // make or replace these, which are missing or of another version
	Comments   []string // correct the comments of these
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.words()) == 0 }

// New reports whether nothing of ours is there yet.
func (p *Plan) New() bool { return p.Database || len(p.Tables) == len(schema.Tables()) }

func (p *Plan) String() string { return strings.Join(p.words(), ", ") }

func (p *Plan) words() (out []string) {
	switch {
	case p.Database:
		return []string{"make the database with its tables and views"}
	case p.New():
		return []string{"make its tables and views"}
	}
	list := func(what, these string, names []string) {
		const few = 4
		switch n := len(names); {
		case n > few:
			out = append(out, fmt.Sprintf("%s %d %ss", what, n, these))
		case n > 1:
			out = append(out, what+" the "+these+"s "+strings.Join(names, ", "))
		case n == 1:
			out = append(out, what+" the "+these+" "+names[0])
		}
	}
	list("make", "missing table", p.Tables)
	var numbers []string
	for _, n := range p.Migrations {
		numbers = append(numbers, fmt.Sprint(n))
	}
	list("run", "migration", numbers)
	list("renew the engine of", "table", p.Engines)
	list("make", "view", p.Views)
	list("correct the comments of", "table", p.Comments)
	return out
}

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

// planOf is what is to be done on all of them.
func planOf(nodes []*found) *Plan {
	all := &Plan{}
	for _, f := range nodes {
		all.add(f.plan())
	}
	return all
}

// add takes in what is to be done on another server.
func (p *Plan) add(q *Plan) {
	p.Database = p.Database || q.Database
	union := func(a *[]string, b []string) {
		for _, name := range b {
			if !slices.Contains(*a, name) {
				*a = append(*a, name)
			}
		}
	}
	union(&p.Tables, q.Tables)
	union(&p.Engines, q.Engines)
	union(&p.Views, q.Views)
	union(&p.Comments, q.Comments)
	if len(q.Migrations) > len(p.Migrations) {
		p.Migrations = q.Migrations
	}
}

// object is a table, view or dictionary of the database on one server.
type object struct {
	name, engine, engineFull, comment, create string
	columns                                   []schema.Column
	comments                                  map[string]string // of the columns
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
	versions []int64 // of the migrations that were run
	adopting bool    // the warehouse is of a program that made no marks
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
	for _, step := range []func() error{f.layout, f.foreign, f.newer, f.zone} {
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
	err = each(ctx, conn, "SELECT "+node+", name, engine, engine_full, comment, create_table_query FROM "+f.everywhere("tables")+
		" WHERE database = ? AND name IN (?)", []any{f.cfg.Database, names}, func(rows driver.Rows) error {
		var node string
		o := &object{comments: map[string]string{}}
		err := rows.Scan(&node, &o.name, &o.engine, &o.engineFull, &o.comment, &o.create)
		if f.nodes[node] != nil {
			f.nodes[node][o.name] = o
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

// foreign refuses, by name, each object that has a name of ours and is not ours (I13).
func (f *found) foreign() error {
	var strangers []string
	for _, host := range slices.Sorted(maps.Keys(f.nodes)) {
		objects := f.nodes[host]
		versions := objects[schema.VersionTable]
		marked := versions != nil && strings.HasSuffix(versions.comment, schema.Mark)
		// A warehouse that has no marks is known by its versions together with the structure of its main table.
		proven := versions != nil && !marked && objects["order_rows"] != nil && like(tableNamed("order_rows"), objects["order_rows"]) &&
			len(f.versions) > 0 && !slices.ContainsFunc(f.versions, func(v int64) bool { return !slices.Contains(schema.Versions(), v) })
		f.adopting = f.adopting || proven
		ours := map[string]bool{schema.VersionTable: marked || proven}
		for _, t := range schema.Tables() {
			for _, name := range f.forms(t) {
				o := objects[name]
				ours[name] = o != nil && (strings.HasSuffix(o.comment, schema.Mark) || (marked || proven) && like(t, o))
			}
		}
		for _, v := range schema.Views() {
			if o := objects[v.Name]; o != nil {
				_, made := schema.ParseViewMark(o.comment)
				ours[v.Name] = o.engine == "View" && (made || proven && slices.ContainsFunc(schema.FrozenViews()[v.Name],
					func(columns []schema.Column) bool { return slices.Equal(columns, o.columns) }))
			}
		}
		if o := objects[former]; o != nil {
			ours[former] = strings.HasSuffix(o.comment, schema.Mark)
		}
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			if !ours[name] {
				stranger := "the " + objects[name].kind() + " " + name
				if len(f.nodes) > 1 {
					stranger += " on " + host
				}
				strangers = append(strangers, stranger)
			}
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	return fmt.Errorf("it has %s, not made by ordersync, which needs the name for its own: nothing was changed; "+
		"give ordersync a database of its own (clickhouse.database), or rename what is there", strings.Join(strangers, ", and "))
}

// like reports whether an object has the structure of a table of ours.
func like(t schema.Table, o *object) bool {
	if t.Feeds != "" {
		return o.engine == "MaterializedView" && regexp.MustCompile(` TO \S+\.`+t.Feeds+`(_local)? `).MatchString(o.create)
	}
	if o.engine != "Distributed" && !strings.HasSuffix(o.engine, "MergeTree") {
		return false
	}
	missing := slices.Clone(t.Columns)
	for _, c := range o.columns {
		if at := slices.Index(missing, c); at >= 0 {
			missing = slices.Delete(missing, at, at+1)
		} else if !slices.Contains(t.Added, c.Name) {
			return false
		}
	}
	return len(missing) == 0
}

// newer refuses a warehouse that a newer program has changed: this one can neither read it right nor write it.
func (f *found) newer() error {
	const remedy = "use a newer ordersync"
	known := schema.Versions()
	for _, v := range f.versions {
		if !slices.Contains(known, v) {
			return fmt.Errorf("its tables are of version %d, which this ordersync does not know (it knows %d): %s", v, known[len(known)-1], remedy)
		}
	}
	for _, objects := range f.nodes {
		for _, v := range schema.Views() {
			o := objects[v.Name]
			if o == nil {
				continue
			}
			if mark, ok := schema.ParseViewMark(o.comment); ok && mark.Newer() {
				return fmt.Errorf("its view %s was made by a newer ordersync (%d.%d; this one is %d.%d): %s", v.Name, mark.Tables, mark.Views,
					schema.CurrentMark().Tables, schema.CurrentMark().Views, remedy)
			}
		}
	}
	return nil
}

// zone refuses a warehouse whose views have their days and months in another reporting zone: two processes with different
// zones would make the views anew in turns, and the same question would be answered differently.
func (f *found) zone() error {
	if f.cfg.Rezone {
		return nil
	}
	for _, objects := range f.nodes {
		for _, v := range schema.Views() {
			o := objects[v.Name]
			if o == nil {
				continue
			}
			if zone := schema.ZoneOf(o.comment); zone != "" && zone != f.cfg.Timezone {
				return fmt.Errorf("its view %s has the days and months of the zone %s, and reporting.timezone is %s: set "+
					"reporting.timezone: %[2]s, or run `ordersync migrate`, which makes the views anew for %[3]s", v.Name, zone, f.cfg.Timezone)
			}
		}
	}
	return nil
}

// plan compares what is there with what should be.
func (f *found) plan() *Plan {
	p := &Plan{Database: !f.database}
	for _, v := range schema.Versions() {
		if !slices.Contains(f.versions, v) {
			p.Migrations = append(p.Migrations, v)
		}
	}
	missing := func(name string) bool {
		for _, objects := range f.nodes {
			if objects[name] == nil {
				return true
			}
		}
		return false
	}
	some := func(name string, is func(*object) bool) bool { return slices.ContainsFunc(f.objects(name), is) }
	for _, t := range schema.Tables() {
		for _, name := range f.forms(t) {
			switch {
			case missing(name):
				if !slices.Contains(p.Tables, t.Name) {
					p.Tables = append(p.Tables, t.Name)
				}
			case some(name, func(o *object) bool { return len(f.corrections(t, o)) > 0 }):
				p.Comments = append(p.Comments, name)
			}
		}
	}
	// Of a cluster the engine stays as it is, since a replicated table cannot be renamed. That costs nothing but that a row
	// that was sent twice is stored twice.
	if some(renewed, func(o *object) bool { return o.engine == "MergeTree" }) || len(f.objects(former)) > 0 {
		p.Engines = append(p.Engines, renewed)
	}
	for _, v := range schema.Views() {
		current := func(o *object) bool { return o.comment == v.MarkedComment(f.cfg.Timezone) }
		if missing(v.Name) || some(v.Name, func(o *object) bool { return !current(o) }) {
			p.Views = append(p.Views, v.Name)
		}
	}
	if missing(schema.VersionTable) || some(schema.VersionTable, func(o *object) bool { return !strings.HasSuffix(o.comment, schema.Mark) }) {
		p.Comments = append(p.Comments, schema.VersionTable)
	}
	return p
}

// corrections are the parts of an ALTER TABLE that gives a table and its columns their comments.
func (f *found) corrections(t schema.Table, o *object) (out []string) {
	if t.Feeds == "" {
		for _, c := range o.columns {
			if meaning := schema.Meaning(t.Name, c.Name); meaning != o.comments[c.Name] {
				out = append(out, "COMMENT COLUMN "+c.Name+" "+schema.Quote(meaning))
			}
		}
	}
	if want := t.Comment + schema.Mark; o.comment != want {
		out = append(out, "MODIFY COMMENT "+schema.Quote(want))
	}
	return out
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
