package schema

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// migrationFiles holds the SQL files that create the tables and change them, in the order of their numbers. A file that
// has landed never changes again: migrations/FROZEN holds their checksums. Each may run twice, because two processes may
// start at once. They are written for one server; Cluster makes of them what a cluster needs. The files up to 00014
// create views too: those statements are passed over, since views are made from the folder views.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// Table is a table, or a materialized view that feeds one, as the migrations create it.
type Table struct {
	Name    string
	Comment string   // without Mark
	Feeds   string   // the table that a materialized view writes to; empty for a table
	Columns []Column // those of CREATE TABLE; a materialized view has none here
	Added   []string // names of columns that later migrations add
}

// Names are those of all columns, in the order in which they were added.
func (t Table) Names() (names []string) {
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return append(names, t.Added...)
}

// Column is a column of a table or a view. Type is spelled as the server does.
type Column struct{ Name, Type string }

// VersionTable is where goose keeps which migrations were run.
const VersionTable = "goose_db_version"

// VersionComment is the comment of VersionTable, without Mark.
const VersionComment = "Which migrations of ordersync were run"

// Mark ends the comment of each table of ours: by it a table of ours is told from another one of the same name.
const Mark = " (ordersync)"

// Tables are the tables and materialized views of all migrations, in the order in which they are created.
var Tables = sync.OnceValue(func() []Table {
	tables, _, err := readMigrations()
	if err != nil {
		panic(err) // the files are compiled in, and TestTables reads them
	}
	return tables
})

// FrozenViews are the lists of columns with which the migrations up to 00014 created each view, by name: what a
// warehouse looks like that has no marks yet.
var FrozenViews = sync.OnceValue(func() map[string][][]Column {
	_, views, err := readMigrations()
	if err != nil {
		panic(err)
	}
	return views
})

// Versions are the numbers of the migrations, in ascending order.
var Versions = sync.OnceValue(func() []int64 {
	var out []int64
	for _, name := range migrationNames() {
		number, _, _ := strings.Cut(path.Base(name), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(err)
		}
		out = append(out, n)
	}
	return out
})

func migrationNames() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	return names
}

// Parts of statements. The style is that of the migrations, not all of SQL.
var (
	columnLine  = regexp.MustCompile(`(?m)^    (\w+) (.+?) COMMENT '`)
	addedColumn = regexp.MustCompile(`ADD COLUMN IF NOT EXISTS (\w+)`)
	commentText = regexp.MustCompile(`(?m)^COMMENT '((?:[^']|'')*)'$`)
)

func readMigrations() (tables []Table, views map[string][][]Column, err error) {
	views = map[string][][]Column{}
	for _, name := range migrationNames() {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		statements, err := split(string(text))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, s := range statements {
			var columns []Column
			for _, m := range columnLine.FindAllStringSubmatch(s, -1) {
				columns = append(columns, Column{m[1], m[2]})
			}
			comment := ""
			if m := commentText.FindStringSubmatch(s); m != nil {
				comment = strings.ReplaceAll(m[1], "''", "'")
			}
			switch {
			case createTable.MatchString(s):
				tables = append(tables, Table{Name: createTable.FindStringSubmatch(s)[1], Comment: comment, Columns: columns})
			case feed.MatchString(s):
				m := feed.FindStringSubmatch(s)
				tables = append(tables, Table{Name: m[1], Comment: comment, Feeds: m[2]})
			case view.MatchString(s):
				m := view.FindStringSubmatch(s)
				views[m[1]] = append(views[m[1]], columns)
			case alterTable.MatchString(s):
				at := slices.IndexFunc(tables, func(t Table) bool { return t.Name == alterTable.FindStringSubmatch(s)[1] })
				if at < 0 {
					return nil, nil, fmt.Errorf("%s: it changes a table that no migration creates: %.60q", name, s)
				}
				for _, m := range addedColumn.FindAllStringSubmatch(s, -1) {
					tables[at].Added = append(tables[at].Added, m[1])
				}
			}
		}
	}
	return tables, views, nil
}

// split cuts a migration into its statements, each without its semicolon. A statement ends with a line that ends in a
// semicolon, as for goose.
func split(text string) ([]string, error) {
	var out []string
	var statement strings.Builder
	for line := range strings.Lines(text) {
		remark := strings.HasPrefix(strings.TrimSpace(line), "--")
		if statement.Len() == 0 && (remark || strings.TrimSpace(line) == "") {
			continue
		}
		code, _, _ := strings.Cut(line, " --")
		end, ended := strings.CutSuffix(strings.TrimRight(code, " \n"), ";")
		if remark || !ended {
			statement.WriteString(line)
			continue
		}
		statement.WriteString(end)
		out = append(out, statement.String())
		statement.Reset()
	}
	if statement.Len() > 0 {
		return nil, fmt.Errorf("the last statement does not end with a semicolon")
	}
	return out, nil
}
