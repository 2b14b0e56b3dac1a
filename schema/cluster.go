package schema

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Cluster says where the tables are when one server is not enough. The zero value is one server.
type Cluster struct {
	Name     string // a cluster of the servers' configuration (remote_servers); empty = one server
	Database string
	// EachNode is for servers without ClickHouse Keeper, such as the embedded ones of the tests: the tables are not
	// replicated, and the migrations have to be run on each server by itself.
	EachNode bool
}

// Migrations is the SQL of the migrations, rewritten as it is read. Of all tables of one server, only the comment changes:
// it gets the Mark. Statements about views are left out. For a cluster:
//
//   - Each table gets the suffix _local and is replicated within its shard, and a Distributed table of the plain name
//     reads and writes all shards. So views and queries are the same text on one server and on a cluster.
//   - The sharding key is made of columns of the sorting key, so that all versions of a row share a shard and FINAL, which
//     each shard does for itself, is exact: account and order_id where the sorting key has both, which keeps an order
//     together with its items and its history; else its first column, the account.
//   - A materialized view feeds a local table from a local table.
//   - A table that is filled from another one is filled on all shards, by one server.
//   - Every statement that makes or changes something is ON CLUSTER.
//
// A statement that is of no kind known here is an error: it must not be made on one server only.
//
// With names of tables there are only the statements that make these, change their definition and fill them: run again, they make a
// table that somebody dropped. What a materialized view feeds is filled with it, since the view has missed what was written meanwhile.
func (c Cluster) Migrations(only ...string) fs.FS {
	for _, t := range Tables() {
		if t.Feeds != "" && slices.Contains(only, t.Name) {
			only = append(slices.Clip(only), t.Feeds)
		}
	}
	return rewrittenFiles{c, only, migrationFiles}
}

// Local is the name of the table that holds the rows of a table on each server.
func (c Cluster) Local(table string) string {
	if c.Name == "" {
		return table
	}
	return table + local
}

// On is the clause that makes a statement one of all servers; on one server and with EachNode it is empty.
func (c Cluster) On() string {
	if c.Name == "" || c.EachNode {
		return ""
	}
	return " ON CLUSTER " + Quote(c.Name)
}

// Quote makes a string of SQL.
func Quote(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }

// local is the suffix of the tables that hold a shard's rows.
const local = "_local"

// The kinds of statement, and what is changed in them. The style is that of the migrations, not all of SQL.
var (
	createTable = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)`)
	engine      = regexp.MustCompile(`(?m)^ENGINE = (\w*MergeTree)(?:\((.*)\))?$`)
	sortingKey  = regexp.MustCompile(`(?m)^ORDER BY \(?(\w+(?:, \w+)*)\)?$`)
	comment     = regexp.MustCompile(`(?m)^COMMENT '(?:[^']|'')*'$`)

	alterTable   = regexp.MustCompile(`^ALTER TABLE (\w+)`)
	ofEachTable  = regexp.MustCompile(`^ALTER TABLE \w+\s+(?:(?:ADD|MODIFY|COMMENT|DROP|RENAME) COLUMN|MODIFY COMMENT)`)
	ofLocalTable = regexp.MustCompile(`^ALTER TABLE \w+\s+(?:ADD INDEX|DROP INDEX|MATERIALIZE INDEX|ADD PROJECTION|MATERIALIZE PROJECTION|(?:MODIFY|RESET) SETTING)`)

	feed     = regexp.MustCompile(`^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+)`)
	feedFrom = regexp.MustCompile(`(?m)^FROM (\w+)$`)

	view = regexp.MustCompile(`^(?:CREATE OR REPLACE VIEW|DROP VIEW IF EXISTS) (\w+)`)

	fill = regexp.MustCompile(`^INSERT INTO (\w+)\nSELECT`)
)

// statement makes of one statement for one server those for a cluster.
func (c Cluster) statement(sql string) ([]string, error) {
	// named returns the object that the statement is about, its first word in the pattern, the clause ON CLUSTER.
	named := func(pattern *regexp.Regexp, sql, suffix string) string {
		at := pattern.FindStringSubmatchIndex(sql)
		return sql[:at[3]] + suffix + c.On() + sql[at[3]:]
	}
	if view.MatchString(sql) {
		return nil, nil // made from the folder views
	}
	if createTable.MatchString(sql) || feed.MatchString(sql) {
		sql = comment.ReplaceAllStringFunc(sql, func(s string) string { return strings.TrimSuffix(s, "'") + Mark + "'" })
	}
	switch {
	case c.Name == "":
		return []string{sql}, nil
	case createTable.MatchString(sql):
		return c.table(sql, named(createTable, sql, local))
	case ofEachTable.MatchString(sql):
		return []string{named(alterTable, sql, local), named(alterTable, sql, "")}, nil
	case ofLocalTable.MatchString(sql):
		return []string{named(alterTable, sql, local)}, nil
	case feed.MatchString(sql):
		if len(feedFrom.FindAllString(sql, -1)) != 1 {
			return nil, fmt.Errorf("a materialized view of a cluster reads one table, in a line FROM table")
		}
		sql = feedFrom.ReplaceAllString(sql, "FROM ${1}"+local)
		sql = feed.ReplaceAllString(sql, "CREATE MATERIALIZED VIEW IF NOT EXISTS ${1} TO ${2}"+local)
		return []string{named(feed, sql, "")}, nil
	case fill.MatchString(sql):
		if c.EachNode { // the other servers may not have the table yet
			sql = feedFrom.ReplaceAllString(fill.ReplaceAllString(sql, "INSERT INTO ${1}"+local+"\nSELECT"), "FROM ${1}"+local)
		}
		return []string{sql}, nil
	}
	return nil, fmt.Errorf("schema/cluster.go does not know what this statement is in a cluster: %.60q", sql)
}

// table returns a table's local part, and the Distributed table over it.
func (c Cluster) table(sql, localSQL string) ([]string, error) {
	name := createTable.FindStringSubmatch(sql)[1]
	key := sortingKey.FindStringSubmatch(sql)
	if !engine.MatchString(sql) || key == nil || !comment.MatchString(sql) {
		return nil, fmt.Errorf("table %s: a cluster needs ENGINE = …MergeTree, ORDER BY (columns) and COMMENT, each at the beginning of a line", name)
	}
	columns := strings.Split(key[1], ", ")
	shard := columns[0]
	if slices.Contains(columns, "account") && slices.Contains(columns, "order_id") {
		shard = "account, order_id"
	}
	if !c.EachNode {
		localSQL = engine.ReplaceAllStringFunc(localSQL, func(clause string) string {
			m := engine.FindStringSubmatch(clause)
			if m[2] != "" {
				m[2] = ", " + m[2]
			}
			return "ENGINE = Replicated" + m[1] + "('/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" + m[2] + ")"
		})
	}
	distributed := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(%s, %s, %s, cityHash64(%s))\n%s",
		name, c.On(), name+local, Quote(c.Name), Quote(c.Database), Quote(name+local), shard, comment.FindString(sql))
	return []string{localSQL, distributed}, nil
}

// rewrite makes of a migration's text the text to be run.
func (f rewrittenFiles) rewrite(text string) (string, error) {
	statements, err := split(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("-- +goose NO TRANSACTION\n-- +goose Up\n")
	for _, s := range statements {
		if len(f.only) > 0 && !f.wanted(s) {
			continue
		}
		made, err := f.cluster.statement(s)
		if err != nil {
			return "", err
		}
		for _, m := range made {
			out.WriteString("\n" + m + ";\n")
		}
	}
	return out.String(), nil
}

// wanted reports whether a statement makes one of the wanted tables, changes its definition, or fills it.
func (f rewrittenFiles) wanted(sql string) bool {
	for _, kind := range []*regexp.Regexp{createTable, alterTable, feed, fill} {
		if m := kind.FindStringSubmatch(sql); m != nil {
			return slices.Contains(f.only, m[1])
		}
	}
	return false
}

// rewrittenFiles rewrites the migrations as they are read.
type rewrittenFiles struct {
	cluster Cluster
	only    []string // tables; none = all statements
	fs.FS
}

// Open is part of fs.FS.
func (f rewrittenFiles) Open(name string) (fs.File, error) {
	original, err := f.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return original, err
	}
	text, err := io.ReadAll(original)
	if err != nil {
		return nil, err
	}
	made, err := f.rewrite(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &rewrittenFile{original, bytes.NewReader([]byte(made))}, nil
}

// rewrittenFile is a migration with another content.
type rewrittenFile struct {
	fs.File
	content io.Reader
}

// Read is part of fs.File.
func (f *rewrittenFile) Read(p []byte) (int, error) { return f.content.Read(p) }
