package cli_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// httpLogin is how a program logs in by HTTP.
type httpLogin struct{ HTTP, Username, Password string }

func (w *world) httpLogin() httpLogin {
	w.t.Helper()
	return decode[httpLogin](w.t, w.run(0, "sql", "--login", "--json").out)
}

// back reads a file by ClickHouse's own reader, into a table with the columns of spend.
func (w *world) back(login httpLogin, file, format, table string) {
	w.t.Helper()
	w.sql("CREATE TABLE IF NOT EXISTS " + table + " ENGINE = MergeTree ORDER BY tuple() EMPTY AS SELECT * FROM spend")
	f, err := os.Open(filepath.Join(w.dir, file))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	query := url.Values{"database": {w.database}, "query": {"INSERT INTO " + table + " FORMAT " + format}}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, login.HTTP+"/?"+query.Encode(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth(login.Username, login.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s", file, resp.Status)
	}
}

// A file has the format that its ending says, and what was written is read back equal.
func TestSQLFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure()
	w.run(0, "backfill", "--from", "-20h")
	login := w.httpLogin()
	w.sql("CREATE TABLE spent ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM spend")
	for i, c := range []struct{ file, format, begins string }{
		{"a.parquet", "Parquet", "PAR1"},
		{"a.PARQUET", "Parquet", "PAR1"},
		{"a.arrow", "Arrow", "ARROW1"},
		{"a.orc", "ORC", "ORC"},
		{"a.csv", "CSVWithNames", `"source","account"`},
		{"a.tsv", "TSVWithNames", "source\taccount"},
		{"a.jsonl", "JSONEachRow", `{"source":"bss"`},
		{"a.ndjson", "JSONEachRow", `{"source":"bss"`},
		{"a.json", "JSONEachRow", "[\n{\"source\":\"bss\""},
	} {
		w.run(0, "sql", "-o", c.file, "SELECT * FROM spent ORDER BY order_id, item_id")
		if text := readFile(t, filepath.Join(w.dir, c.file)); !strings.HasPrefix(text, c.begins) {
			t.Errorf("%s begins with %q", c.file, text[:min(len(text), 40)])
		}
		table := fmt.Sprintf("back%d", i)
		w.back(login, c.file, c.format, table)
		same := fmt.Sprintf(`SELECT (SELECT count() FROM (SELECT * FROM spent EXCEPT SELECT * FROM %[1]s)) + (SELECT count() FROM (SELECT * FROM %[1]s EXCEPT SELECT * FROM spent)),
			count() > 300 AND count() = (SELECT count() FROM %[1]s), countIf(length(toString(net)) > 15) > 0 FROM spent`, table)
		if got := w.run(0, "sql", "--format", "TSV", same).out; got != "0\t1\t1\n" {
			t.Errorf("%s is not spend: %q", c.file, got)
		}
	}
	// Money in JSON is no float, and what is asked for goes before the ending.
	w.run(0, "sql", "-o", "money.jsonl", "SELECT toDecimal64('0.10', 2) AS a, [toDecimal128('12345678901234567890.1', 1)] AS b, map('c', toDecimal32('1.5', 1)) AS m")
	contains(t, readFile(t, filepath.Join(w.dir, "money.jsonl")), `{"a":"0.1","b":["12345678901234567890.1"],"m":{"c":"1.5"}}`)
	w.run(0, "sql", "-o", "a.csv", "--format", "jsonl", "SELECT 1 AS a")
	contains(t, readFile(t, filepath.Join(w.dir, "a.csv")), `{"a":1}`)
	contains(t, w.run(2, "sql", "-o", "a.csv.gz", "SELECT 1").err, "the ending .gz", "--format")

	// A second result would make a file that nobody reads.
	w.run(0, "sql", "-o", "one.parquet", "SET max_threads = 1; SELECT 1 AS a")
	for _, name := range []string{"two.parquet", "two.arrow", "two.xlsx", "two.xml", "two.json"} {
		contains(t, w.run(1, "sql", "-o", name, "SELECT 1 AS a; SELECT 2 AS a").err, "one statement")
		if _, err := os.Stat(filepath.Join(w.dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	w.run(0, "sql", "-o", "two.jsonl", "SELECT 1 AS a; SELECT 2 AS a")
}

// awkward is what spreadsheets spoil: ids, exact money, times, and texts that look like something else.
const awkward = `SELECT '123456789012345678' AS id, '007' AS zeros, '1e5' AS exponent, '2026-11' AS month, '=1+1' AS ` + "`=formula`" + `, '+cmd' AS plus, '-x' AS minus, '-5' AS five, '@x' AS at,
	toInt8(-5) AS small, toInt64(-123456789012345) AS fifteen, toUInt64(12345678901234567890) AS big, toDecimal128('-1234.567890123', 12) AS money,
	toNullable(toDecimal128('123456789012345678901234.000000000001', 12)) AS exact, 0.1 AS ratio, toDate('2026-11-03') AS day, toDate32('1900-01-15') AS old,
	toDateTime64('2026-11-03 01:02:03', 3, 'UTC') AS utc, toDateTime('2026-11-03 01:02:03', 'Asia/Shanghai') AS local,
	toDateTime64('2026-11-03 01:02:03.004005', 6, 'UTC') AS micro, CAST(NULL AS Nullable(Decimal(9, 2))) AS missing, true AS yes, ['a', '=b'] AS list,
	'two\nlines, "quoted"' AS lines, 'wei\0rd \\N' AS weird, toLowCardinality(toNullable('块存储')) AS name, '' AS nothing, nan AS nan`

func TestSQLForSpreadsheets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	const note = "note: 1 value of big, 1 value of exact: a spreadsheet keeps 15 digits"
	contains(t, w.run(0, "sql", "-o", "a.xlsx", awkward).err, note)
	f, err := excelize.OpenFile(filepath.Join(w.dir, "a.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type cell struct {
		raw, shown string
		kind       excelize.CellType
	}
	const text, number = excelize.CellTypeInlineString, excelize.CellTypeUnset
	want := map[string]cell{
		"id": {"123456789012345678", "123456789012345678", text}, "zeros": {"007", "007", text}, "exponent": {"1e5", "1e5", text}, "month": {"2026-11", "2026-11", text},
		"=formula": {"=1+1", "=1+1", text}, "plus": {"+cmd", "+cmd", text}, "minus": {"-x", "-x", text}, "five": {"-5", "-5", text}, "at": {"@x", "@x", text},
		"small": {"-5", "-5", number}, "fifteen": {"-123456789012345", "-123456789012345", number}, "big": {"12345678901234567890", "12345678901234567890", text},
		"money": {"-1234.567890123", "-1234.567890123", number}, "exact": {"123456789012345678901234.000000000001", "123456789012345678901234.000000000001", text},
		"ratio": {"0.1", "0.1", number}, "day": {"46329", "2026-11-03", number}, "old": {"1900-01-15", "1900-01-15", text},
		"utc": {"46329.0430902778", "2026-11-03 01:02:03.000 UTC", number}, "local": {"46329.0430902778", "2026-11-03 01:02:03 Asia/Shanghai", number},
		"micro": {"2026-11-03 01:02:03.004005", "2026-11-03 01:02:03.004005", text}, "missing": {"", "", number}, "yes": {"1", "TRUE", excelize.CellTypeBool},
		"list": {"['a','=b']", "['a','=b']", text}, "lines": {"two\nlines, \"quoted\"", "two\nlines, \"quoted\"", text}, "weird": {"wei\ufffdrd \\N", "wei\ufffdrd \\N", text},
		"name": {"块存储", "块存储", text}, "nothing": {"", "", text}, "nan": {"NaN", "NaN", text},
	}
	got := map[string]cell{}
	sheet := f.GetSheetName(0)
	for column := 1; column <= len(want); column++ {
		at := func(row int) string {
			name, err := excelize.CoordinatesToCellName(column, row)
			if err != nil {
				t.Fatal(err)
			}
			return name
		}
		name, err := f.GetCellValue(sheet, at(1))
		if err != nil {
			t.Fatal(err)
		}
		var c cell
		if c.shown, err = f.GetCellValue(sheet, at(2)); err != nil {
			t.Fatal(err)
		}
		if c.raw, err = f.GetCellValue(sheet, at(2), excelize.Options{RawCellValue: true}); err != nil {
			t.Fatal(err)
		}
		if c.kind, err = f.GetCellType(sheet, at(2)); err != nil {
			t.Fatal(err)
		}
		got[name] = c
		if formula, err := f.GetCellFormula(sheet, at(2)); formula != "" || err != nil {
			t.Errorf("%s is the formula %q, %v", name, formula, err)
		}
	}
	if d := gocmp.Diff(want, got, gocmp.AllowUnexported(cell{})); d != "" {
		t.Errorf("-want +got\n%s", d)
	}

	r := w.run(0, "sql", "--excel", awkward)
	contains(t, r.err, note)
	w.run(0, "sql", "--excel", "-o", "a.csv", awkward)
	body, marked := strings.CutPrefix(readFile(t, filepath.Join(w.dir, "a.csv")), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 2 || !marked || r.out != "\ufeff"+body {
		t.Fatalf("%q, %v, %q", body, err, r.out)
	}
	if d := gocmp.Diff([][]string{
		{"id", "zeros", "exponent", "month", "'=formula", "plus", "minus", "five", "at", "small", "fifteen", "big", "money", "exact", "ratio", "day", "old", "utc", "local", "micro",
			"missing", "yes", "list", "lines", "weird", "name", "nothing", "nan"},
		{`="123456789012345678"`, `="007"`, `="1e5"`, `="2026-11"`, "'=1+1", "'+cmd", "'-x", "'-5", "'@x", "-5", "-123456789012345", `="12345678901234567890"`, "-1234.567890123",
			`="123456789012345678901234.000000000001"`, "0.1", "2026-11-03", "1900-01-15", "2026-11-03 01:02:03", "2026-11-03 01:02:03", "2026-11-03 01:02:03.004005",
			"", "true", "['a','=b']", "two\nlines, \"quoted\"", "wei\x00rd \\N", "块存储", "", "nan"},
	}, rows); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if r := w.run(0, "sql", "--excel", "SELECT 1 AS a WHERE 0"); r.out != "\ufeffa\n" || r.err != "" {
		t.Errorf("%+v", r)
	}

	// The limits of xlsx are errors that say what to do, and nothing is left behind.
	contains(t, w.run(1, "sql", "-o", "b.xlsx", "SELECT 1 AS one, repeat('x', 32768) AS raw").err, "row 1: raw has 32,768 characters", "substring(raw, 1, 32767)")
	contains(t, w.run(1, "sql", "-o", "b.xlsx", "SELECT repeat('😀', 16384) AS raw").err, "32,768 characters")
	w.run(0, "sql", "-o", "b.xlsx", "SELECT repeat('x', 32767) AS raw")
	contains(t, w.run(1, "sql", "-o", "b.xlsx", "SELECT number FROM numbers(1048576)").err, "more rows than a sheet of xlsx, 1,048,576", "LIMIT")
	contains(t, w.run(1, "sql", "-o", "b.xlsx", "SELECT 1 FORMAT CSV").err, "leave out its FORMAT")
	contains(t, w.run(1, "sql", "-o", "c.xlsx", "SET max_threads = 1").err, "has no result")
	contains(t, w.run(1, "sql", "-o", "c.xlsx", "SELECT throwIf(number = 100000) FROM numbers(1000000) SETTINGS max_block_size = 1000").err, "ClickHouse error 395")
	entries, err := os.ReadDir(w.dir)
	if err != nil || len(entries) != 4 { // the configuration, a.csv, a.xlsx and the b.xlsx that went well
		t.Errorf("%v, %v", entries, err)
	}
	contains(t, w.run(2, "sql", "--excel", "-o", "a.xlsx", "SELECT 1").err, "--excel is for csv")
	contains(t, w.run(2, "sql", "--excel", "--format", "json", "SELECT 1").err, "--excel is for csv")
}

// Ctrl-C leaves neither a file nor a part of one.
func TestSQLFileInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	for _, name := range []string{"x.parquet", "x.xlsx", "x.csv"} {
		p := w.start("sql", "-o", name, "SELECT number, sleepEachRow(0.1) FROM numbers(1000000) SETTINGS max_block_size = 1")
		for began := time.Now(); ; {
			if parts, _ := filepath.Glob(filepath.Join(w.dir, "*.part")); len(parts) == 1 {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatal("the file is not begun")
			}
		}
		p.signal(syscall.SIGINT)
		p.end(130)
		if left, _ := filepath.Glob(filepath.Join(w.dir, "x*")); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}
