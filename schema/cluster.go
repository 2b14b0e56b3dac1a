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

// Cluster says where the tables are when one server is not enough.
type Cluster struct {
	Name     string // a cluster of the servers' configuration (remote_servers)
	Database string
	// EachNode is for servers without ClickHouse Keeper, such as the embedded ones of the tests: the tables are not
	// replicated, and the migrations have to be run on each server by itself.
	EachNode bool
}

// Migrations is the same SQL for a cluster, rewritten as it is read:
//
//   - Each table gets the suffix _local and is replicated within its shard, and a Distributed table of the plain name
//     reads and writes all shards. So views and queries are the same text on one server and on a cluster.
//   - The sharding key is made of columns of the sorting key, so that all versions of a row share a shard and FINAL, which
//     each shard does for itself, is exact: account and order_id where the sorting key has both, which keeps an order
//     together with its items and its history; else its first column, the account.
//   - A materialized view feeds a local table from a local table.
//   - Every statement is ON CLUSTER.
//
// A statement that is of no kind known here is an error: it must not be made on one server only.
func (c Cluster) Migrations() fs.FS { return clusterFiles{c, Migrations} }

// On is the clause that makes a statement one of all servers; with EachNode it is empty.
func (c Cluster) On() string {
	if c.EachNode {
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
	ofLocalTable = regexp.MustCompile(`^ALTER TABLE \w+\s+(?:ADD INDEX|DROP INDEX|MATERIALIZE INDEX|MODIFY SETTING)`)

	feed     = regexp.MustCompile(`^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+)`)
	feedFrom = regexp.MustCompile(`(?m)^FROM (\w+)$`)

	view = regexp.MustCompile(`^(?:CREATE OR REPLACE VIEW|DROP VIEW IF EXISTS) (\w+)`)
)

// statement makes of one statement for one server those for a cluster.
func (c Cluster) statement(sql string) ([]string, error) {
	// named gives the object that the statement is about, its first word in the pattern, the clause ON CLUSTER.
	named := func(pattern *regexp.Regexp, sql, suffix string) string {
		at := pattern.FindStringSubmatchIndex(sql)
		return sql[:at[3]] + suffix + c.On() + sql[at[3]:]
	}
	switch {
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
	case view.MatchString(sql):
		return []string{named(view, sql, "")}, nil
	}
	return nil, fmt.Errorf("schema/cluster.go does not know what this statement is in a cluster: %.60q", sql)
}

// table gives a table's local part, and the Distributed table over it.
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

// rewrite makes of a migration's text the text for a cluster. A statement ends with a line that ends in a semicolon, as
// for goose.
func (c Cluster) rewrite(text string) (string, error) {
	var out, statement strings.Builder
	for line := range strings.Lines(text) {
		remark := strings.HasPrefix(strings.TrimSpace(line), "--")
		if statement.Len() == 0 && (remark || strings.TrimSpace(line) == "") {
			out.WriteString(line)
			continue
		}
		code, _, _ := strings.Cut(line, " --")
		end, ended := strings.CutSuffix(strings.TrimRight(code, " \n"), ";")
		if remark || !ended {
			statement.WriteString(line)
			continue
		}
		statement.WriteString(end)
		made, err := c.statement(statement.String())
		if err != nil {
			return "", err
		}
		out.WriteString(strings.Join(made, ";\n\n") + ";\n")
		statement.Reset()
	}
	if statement.Len() > 0 {
		return "", fmt.Errorf("the last statement does not end with a semicolon")
	}
	return out.String(), nil
}

// clusterFiles rewrites the migrations as they are read.
type clusterFiles struct {
	cluster Cluster
	fs.FS
}

// Open is part of fs.FS.
func (f clusterFiles) Open(name string) (fs.File, error) {
	original, err := f.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return original, err
	}
	text, err := io.ReadAll(original)
	if err != nil {
		return nil, err
	}
	made, err := f.cluster.rewrite(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &clusterFile{original, bytes.NewReader([]byte(made))}, nil
}

// clusterFile is a migration with another content.
type clusterFile struct {
	fs.File
	content io.Reader
}

// Read is part of fs.File.
func (f *clusterFile) Read(p []byte) (int, error) { return f.content.Read(p) }
