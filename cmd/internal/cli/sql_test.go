package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// Values look as the server writes them, in each of its formats.
func TestSQLFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	const query = "SELECT count() AS n, toDecimal128('123456789012345678901234.000000000001', 12) AS money, map('x', toDecimal64(1.5, 4)) AS m," +
		" NULL AS missing, toDateTime64('2122-01-01 00:00:00', 3, 'UTC') AS far, 'a;\"b' AS `x;y` FROM numbers(1)"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--json"}, `[
{"n":"1","money":"123456789012345678901234.000000000001","m":{"x":"1.5"},"missing":null,"far":"2122-01-01 00:00:00.000","x;y":"a;\"b"}
]
`},
		{[]string{"--format", "json"}, `[
{"n":1,"money":"123456789012345678901234.000000000001",`},
		{[]string{"--format", "tsv"}, "n\tmoney\tm\tmissing\tfar\tx;y\n1\t123456789012345678901234.000000000001\t{'x':1.5}\t\\N\t2122-01-01 00:00:00.000\ta;\"b\n"},
		{[]string{"--format", "csv"}, `1,123456789012345678901234.000000000001,"{'x':1.5}",\N,"2122-01-01 00:00:00.000","a;""b"`},
		{nil, "┌─n─┬"},
		{[]string{"--format", "Markdown"}, "| n | money |"},
	} {
		contains(t, w.run(0, append([]string{"sql", query}, c.args...)...).out, c.want)
	}
	contains(t, w.run(0, "sql", query+" FORMAT Vertical").out, "money:   123456789012345678901234.000000000001")
	contains(t, w.run(0, "sql", "--format", "Parquet", "SELECT 1").out, "PAR1")
	contains(t, w.run(2, "sql", "--format", "nonsense", "SELECT 1").err, "Unknown format nonsense")
	contains(t, w.run(1, "sql", "SELECT 1 FORMAT nonsense").err, "Unknown format nonsense")
}

// What has a result is known to the server, whatever the text looks like.
func TestSQLInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	for text, want := range map[string]string{
		"\ufeffSELECT 1":                         "1\n",
		"\ufeff-- first\n/* then; */ (SELECT 1)": "1\n",
		"SELECT 'a;b', \"x;\" FROM (SELECT 2 AS `x;`); -- ;\n SELECT $$;\n'$$;;": "a;b\t2\n;\\n\\'\n",
		"FROM numbers(2) SELECT number":                                          "0\n1\n",
		"EXISTS TABLE nothing":                                                   "0\n",
		"WITH 3 AS x SELECT x":                                                   "3\n",
		"SELECT 'it''s', 'a\\';' # ; '\n, 1 #! ;":                                "it\\'s\ta\\';\t1\n",
		"SET max_threads = 3; SELECT getSetting('max_threads')":                  "3\n",
		"SELECT 1 WHERE 0":                                                       "",
		"-- first\nSELECT 1 -- last":                                             "1\n",
		"--first\n--\nSELECT 1":                                                  "1\n",
	} {
		r := w.runWith(text, "sql", "--format", "TSV")
		if r.code != 0 || r.out != want {
			t.Errorf("%q: exit code %d, %q instead of %q\n%s", text, r.code, r.out, want, r.err)
		}
		w.write("q.sql", text)
		if f := w.runWith("", "sql", "--format", "TSV", "-f", "q.sql"); f != r {
			t.Errorf("%q from a file: %+v", text, f)
		}
		if a := w.runWith("", "sql", "--format", "TSV", text); a != r {
			t.Errorf("%q as an argument: %+v", text, a)
		}
	}
	for _, text := range []string{"", "\ufeff", "-- nothing", "/* ; */ ;; # here"} {
		if r := w.runWith(text, "sql"); r.code != 2 || !strings.Contains(r.err, "no statement") {
			t.Errorf("%q: %+v", text, r)
		}
		if r := w.run(2, "sql", text); !strings.Contains(r.err, "no statement") {
			t.Errorf("%q as an argument: %+v", text, r)
		}
	}
	contains(t, w.runWith("\xff\xfeS\x00", "sql").err, "UTF-16")
	contains(t, w.run(0, "sql", "--param_day=2026-11-01", "--param_s", "a\tb\\c'", "--param", "n=3", "--format", "TSVRaw",
		"SELECT {day:Date} + {n:UInt8}, {s:String}").out, "2026-11-04\ta\tb\\c'\n")
	contains(t, w.run(1, "sql", "SELECT {day:Date}").err, "day")
}

// A result goes to a file whole or not at all, and an error after its beginning is an error.
func TestSQLOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.run(0, "sql", "--format", "tsv", "-o", "out.tsv", "SELECT 1 AS a; SELECT 2 AS b")
	read := func() string {
		b, err := os.ReadFile(filepath.Join(w.dir, "out.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read(); got != "a\n1\nb\n2\n" {
		t.Errorf("%q", got)
	}
	const breaks = "SELECT throwIf(number = 1200000, 'it broke'), number FROM numbers(10000000) SETTINGS max_block_size = 10000, max_threads = 1"
	for _, format := range []string{"TSV", "JSON", "CSV", "Parquet", "Native", "table", "Null"} {
		r := w.run(1, "sql", "--format", format, breaks)
		contains(t, r.err, "ClickHouse error 395: it broke")
		if strings.Contains(r.out, "__exception__") {
			t.Errorf("%s: the error is in the data: %s", format, r.out[len(r.out)-400:])
		}
		w.run(1, "sql", "--format", format, "-o", "out.tsv", breaks)
	}
	if got := read(); got != "a\n1\nb\n2\n" {
		t.Errorf("half a result replaced the file: %q", got[:20])
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil || len(entries) != 2 { // the configuration and the result
		t.Errorf("%v, %v", entries, err)
	}
	contains(t, w.run(1, "sql", "SELECT 1 INTO OUTFILE 'x.csv' FORMAT CSV").err, "-o FILE")
	contains(t, w.run(1, "sql", "-o", "/dev/full", "SELECT 1").err, "no space left on device")
	contains(t, w.run(1, "sql", "-o", "no/folder", "SELECT 1").err, "no/folder")
}

// Without a user who may only read, nothing is sent but what the server's parser calls reading.
func TestSQLOnlyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.write("secret", "do not show")
	path := "'" + filepath.Join(w.dir, "secret") + "'"
	quoted := "'toUInt8(file(\\" + strings.TrimSuffix(path, "'") + "\\')) = 1'" // the expression as a text
	for _, text := range []string{
		"CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a", "DROP TABLE orders", "SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1",
		"SELECT * FROM file(" + path + ", 'LineAsString')", "SELECT file(" + path + ")", "WITH file(" + path + ") AS x SELECT x",
		"SELECT 1 /* */ IN FiLe(" + path + ", 'LineAsString', 'l String')", "SELECT * FROM view(SELECT * FROM url('http://127.0.0.1:1'))",
		"DESCRIBE TABLE url('http://127.0.0.1:1')", "EXPLAIN SELECT * FROM remote('127.0.0.1:1', system.one)", "SELECT arrayMap(x -> file(x), [" + path + "])",
		"SELECT * APPLY(file) FROM (SELECT " + path + ")", "SELECT * REPLACE (file(a) AS a) FROM (SELECT " + path + " AS a)",
		"INSERT INTO FUNCTION file('x', 'CSV', 'a Int8') VALUES (1)", "SELECT 1 PARALLEL WITH DROP TABLE orders", "(SELECT file(" + path + "))",
		"SELECT `file`(" + path + ") AS `sum (children 1)`", "SELECT hasColumnInTable('127.0.0.1:1', 'a', 'b', 'c')", "SELECT dictGet('d', 'a', 1)",
		"SELECT 1 UNION ALL SELECT file(" + path + ")", "SELECT 1 ORDER BY file(" + path + ")", "SELECT 1 WHERE exists(SELECT * FROM executable('x', TSV, 'a Int8'))",
		"SELECT sum(1) OVER (PARTITION BY file(" + path + "))", "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", "SELECT eval('SELECT 1')",
		// What EXPLAIN AST does not show: expressions in texts, and all of SHOW.
		"SELECT count() FROM orders SETTINGS additional_result_filter = " + quoted, "SET max_threads = 1, additional_result_filter = " + quoted + "; SELECT 1",
		"SELECT count() FROM orders SETTINGS `additional\\x5ftable_filters` = {'orders': " + quoted + "}", "SELECT formatRow('Template', 1) SETTINGS format_template_row = " + path,
		"SELECT * FROM (SELECT 1 SETTINGS parallel_replicas_custom_key = " + quoted + ")", "SET dialect = 'polyglot'",
		"SET offset = 100; SELECT 1 SETTINGS additional_result_filter = " + quoted, "SET limit = 1, max_block_size = 1; SELECT file(" + path + ")",
		"SELECT * FROM format(JSONEachRow, 'a Int8, b String DEFAULT " + quoted[1:] + ", '{}')", "SELECT b FROM values('a Int8, b String ALIAS " + quoted[1:] + ", (1))",
		"SELECT b FROM generateRandom('a Int8, b String ALIAS " + quoted[1:] + ") LIMIT 1", "DESCRIBE TABLE format(JSONEachRow, 'a Int8 DEFAULT " + quoted[1:] + ", '{}')",
		"SHOW TABLES WHERE toUInt8(file(" + path + ")) = 1", "SHOW COLUMNS FROM orders WHERE name = file(" + path + ")", "SHOW TABLES LIMIT toUInt8(file(" + path + "))",
		"SHOW INDEX FROM order_rows WHERE 1 IN (SELECT file(" + path + "))", "SHOW DICTIONARIES WHERE name IN `file`(" + path + ")",
		"EXPLAIN AST SHOW TABLES WHERE name = file(" + path + ")",
	} {
		if r := w.run(1, "sql", text); strings.Contains(r.out+r.err, "do not show") || !strings.Contains(r.err, "not sent") || !strings.Contains(r.err, "clickhouse.reader") {
			t.Errorf("%s: %+v", text, r)
		}
	}
	w.run(0, "sql", strings.Join([]string{
		"SELECT SUM(pretax_amount), sumIf(1, 1), countDistinct(order_id), anyOrNull(order_id), quantile(0.5)(1), uniqExactIf(1, 1), argMaxState(1, 2) FROM orders",
		"SELECT toStartOfMonth(create_time) AS m, count() OVER (ORDER BY m), row_number() OVER () FROM orders GROUP BY ALL ORDER BY ALL",
		"SELECT * EXCEPT (raw) REPLACE (upper(order_id) AS order_id) FROM orders AS o LEFT JOIN order_items AS i USING (account, order_id) LIMIT 1",
		"SELECT order_id::UInt64 + 1, CASE WHEN 1 THEN 2 END, a[1], (1, 2).1, INTERVAL 1 DAY FROM orders ARRAY JOIN [[1]] AS a WHERE order_id IN (SELECT order_id FROM order_items)",
		"SHOW TABLES", "SHOW TABLES LIKE 'o(%' LIMIT 3", "SHOW COLUMNS FROM orders WHERE field = 'x'", "SET max_threads = 1; SELECT 1 SETTINGS session_timezone = 'Asia/Shanghai'",
		"SELECT CASE order_id WHEN '1' THEN 2 END FROM orders", "DESCRIBE TABLE spend", "SELECT count() FROM spend_as_of(moment = now64(3))", "EXPLAIN SELECT 1", "SHOW CREATE TABLE orders", "SELECT 1 INTERSECT SELECT 1", "EXISTS TABLE orders",
		"SELECT a, grouping(a) FROM (SELECT 1 AS a) GROUP BY ROLLUP(a)", "SELECT untuple((1, 2)) SETTINGS log_comment = 'report', format_csv_null_representation = ''",
		"SELECT * FROM numbers(3) WHERE number BETWEEN 1 AND 2", "SELECT arrayMap(x -> x + 1, [1]), map('a', 1)['a'], JSONExtractString('{}', 'a'), if(1, 2, 3)",
	}, ";\n"))
	contains(t, w.run(1, "sql", "SELECT (").err, "position 8 (")
	contains(t, w.run(0, "sql", "--login").err, "may write, too", "clickhouse.reader")
	contains(t, w.run(1, "sql", "INSERT INTO orders SETTINGS readonly = 0 SELECT 1").err, "ClickHouse error 164")
	r := w.run(0, "sql", "--write", "--format", "tsv", `/* made */ CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a;
		INSERT INTO t VALUES (1), (2); -- once
		SELECT sum(a) AS s FROM t; SELECT a FROM t WHERE 0; SHOW TABLES LIKE 't'`)
	if want := "s\n3\na\nname\nt\n"; r.out != want {
		t.Errorf("%q instead of %q", r.out, want)
	}
	contains(t, w.run(1, "sql", "SELECT * FROM t; SELECT nothing FROM t").err, "ClickHouse error 47", "nothing")
}

func TestSQLNeedsTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configureNew()
	// Looking makes nothing, and says what does.
	contains(t, w.run(3, "sql", "SELECT 1").err, "run `ordersync migrate`")
	w.run(0, "migrate")
	w.configureAgain("username: default", "username: default, http: '127.0.0.1:1'")
	contains(t, w.run(3, "sql", "SELECT 1").err, "127.0.0.1:1", "clickhouse.http")
}

// Ctrl-C ends a query here and at the server, whether it may write or not.
func TestSQLInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	conn := sinktest.Conn(t, w.database)
	for _, flag := range []string{"--write=false", "--write"} {
		running := func() (n uint64) {
			if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE current_database = currentDatabase()"+
				" AND query LIKE '%sleepEachRow%' AND query NOT LIKE '%system.processes%' AND query NOT LIKE 'EXPLAIN%'").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		p := w.start("sql", flag, "SELECT max(sleepEachRow(1)) FROM numbers(600) SETTINGS max_block_size = 1, max_threads = 1, function_sleep_max_microseconds_per_block = 0")
		for running() == 0 { // until it has begun
		}
		p.signal(syscall.SIGINT)
		contains(t, p.end(130), "interrupt")
		for running() > 0 { // until the server has noticed
		}
	}
}
