package sink

import (
	stdflag "flag"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
)

var update = stdflag.Bool("update", false, "write testdata/cluster.sql anew")

// columns and query are what is left out of the golden file: they are as on one server.
var (
	columnList = regexp.MustCompile(`(?s)\n\(\n    .*?\n\)\n`)
	query      = regexp.MustCompile(`(?s)\nAS\n.*?(\nFROM \w+_local)?\nCOMMENT `)
)

// The SQL for a replicated cluster is compared with a file, because the embedded server has no Keeper to run it with; but
// a real server parses it. The file shows the first eight migrations, which have something of every kind.
func TestReplicatedSQL(t *testing.T) {
	t.Parallel()
	cfg := Config{Database: "ordersync", Cluster: "main"}
	text := strings.Join(cfg.prepare(), ";\n\n") + ";\n"
	names, err := fs.Glob(cfg.cluster().Migrations(), "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []schema.View{schema.Views()[0], schema.Views()[len(schema.Views())-1]} { // the last one is stored; the marks change with every other view
		for _, replace := range []bool{false, true} {
			text += "\n" + v.Create(cfg.cluster(), schema.Reporting{Timezone: schema.DefaultZone, Refresh: time.Hour},
				[]schema.Column{{Name: "account", Type: "LowCardinality(String)"}}, replace) + ";\n"
		}
	}
	text = regexp.MustCompile(`\(ordersync \d+\.\d+-[0-9a-f]{8}\)`).ReplaceAllString(text, "(ordersync N.N-digest)")
	var golden string
	for i, name := range names {
		migration, err := fs.ReadFile(cfg.cluster().Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(migration)
		if i < 8 {
			golden = regexp.MustCompile(`(?m)^--.*\n`).ReplaceAllString(text, "")
		}
	}
	conn := sinktest.Conn(t, "default")
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(regexp.MustCompile(`(?m)^--.*$`).ReplaceAllString(statement, "")) == "" {
			continue
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN AST "+statement)
		if err != nil {
			t.Errorf("the server does not understand it: %v\n%s", err, statement)
			continue
		}
		rows.Close()
	}
	golden = query.ReplaceAllString(golden, "\nAS SELECT …$1\nCOMMENT ")
	golden = columnList.ReplaceAllString(golden, "\n(…)\n")
	golden = regexp.MustCompile(`\n{3,}`).ReplaceAllString(golden, "\n\n")
	const file = "testdata/cluster.sql"
	if *update {
		if err := os.WriteFile(file, []byte(golden), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), golden); diff != "" {
		t.Errorf("not as in %s (go test ./sink -run Replicated -update writes it anew; -file +now):\n%s", file, diff)
	}
}
