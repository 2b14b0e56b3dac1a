package cli_test

import (
	"strings"
	"testing"
)

const everyType = `-- everything; at once
SELECT count() AS n, [1, NULL]::Array(Nullable(Int8)) AS a, map('x', toDecimal64(1.50, 4)) AS m, (1, 'a\'b') AS t,
	CAST((1, 'x') AS Tuple(aa Int8, bb String)) AS named, NULL AS missing, toDate('2024-01-02') AS d, 1.5e30 AS f, 0.1 AS g,
	toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u, toIPv4('1.2.3.4') AS ip, true AS b,
	toInt128('170141183460469231731687303715884105727') AS big, toFixedString('ab', 4) AS fs, CAST('a' AS Enum8('a' = 1)) AS e,
	toDateTime('2024-01-02 03:04:05', 'Asia/Shanghai') AS sh, toLowCardinality(toNullable('q')) AS lc, (1, (2, 'z')) AS nest,
	[[1, 2], [3]] AS aa2, [toDateTime64('2024-01-01 00:00:00.123', 3, 'UTC')] AS times, '{"k":{"b":[1,2]}}'::JSON AS j,
	5::Variant(Int8, String) AS v, NULL::Dynamic AS dy, nan AS nn, -inf AS ninf, 'tab	x' AS tb,
	toDateTime64('2122-01-01 00:00:00', 3, 'UTC') AS far, toDecimal128('123456789012345678901234.000000000001', 12) AS money
FROM numbers(1); SELECT 'a;b' AS "x;y" /* ; */;
`

func TestSQLFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.run(0, "migrate")
	for format, want := range map[string][]string{
		"json": {`{"n":1,"a":[1,null],"m":{"x":"1.5"},"t":[1,"a'b"],"named":{"aa":1,"bb":"x"},"missing":null,"d":"2024-01-02",` +
			`"f":1.5e30,"g":0.1,"u":"61f0c404-5cb3-11e7-907b-a6006ad3dba0","ip":"1.2.3.4","b":true,` +
			`"big":"170141183460469231731687303715884105727","fs":"ab\u0000\u0000","e":"a","sh":"2024-01-02 03:04:05","lc":"q",` +
			`"nest":[1,[2,"z"]],"aa2":[[1,2],[3]],"times":["2024-01-01 00:00:00.123"],"j":{"k":{"b":[1,2]}},"v":5,"dy":null,` +
			`"nn":null,"ninf":null,"tb":"tab\tx","far":"2122-01-01 00:00:00.000","money":"123456789012345678901234.000000000001"}`,
			"[\n{\"x;y\":\"a;b\"}\n]\n"},
		"tsv": {"1\t[1,NULL]\t{'x':1.5}\t(1,'a\\\\'b')\t(1,'x')\t\\N\t2024-01-02\t1.5e30\t0.1\t61f0c404-5cb3-11e7-907b-a6006ad3dba0\t" +
			"1.2.3.4\ttrue\t170141183460469231731687303715884105727\tab\ta\t2024-01-02 03:04:05\tq\t(1,(2,'z'))\t[[1,2],[3]]\t" +
			"['2024-01-01 00:00:00.123']\t{\"k\":{\"b\":[1,2]}}\t5\t\\N\tnan\t-inf\ttab\\tx\t2122-01-01 00:00:00.000\t" +
			"123456789012345678901234.000000000001\n", "x;y\na;b\n"},
		"csv":   {`"[1,NULL]",{'x':1.5},"(1,'a\'b')"`, ",\\N,2024-01-02,"},
		"table": {"│ n │", "│ NULL    │", "tab\\tx", "2122-01-01 00:00:00.000", "│ a;b │"},
	} {
		r := w.runWith(everyType, "sql", "--format", format)
		if r.code != 0 || r.err != "" {
			t.Errorf("%s: exit code %d: %s", format, r.code, r.err)
		}
		contains(t, r.out, want...)
	}
}

func TestSQLCannotChangeByAccident(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	// Looking makes nothing, and says what does.
	contains(t, w.run(3, "sql", "SELECT 1").err, "run `ordersync migrate`")
	w.run(0, "migrate")
	r := w.run(1, "sql", "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
	contains(t, r.err, "ClickHouse error 164", "--write")
	r = w.run(0, "sql", "--write", "--format", "tsv", `/* made */ CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a;
		INSERT INTO t VALUES (1), (2); -- once
		SELECT sum(a) AS s FROM t; SELECT a FROM t WHERE 0; SHOW TABLES LIKE 't'`)
	if want := "s\n3\na\nname\nt\n"; r.out != want {
		t.Errorf("%q instead of %q", r.out, want)
	}
	contains(t, w.run(1, "sql", "DROP TABLE orders").err, "--write")
	contains(t, w.run(1, "sql", "SELECT * FROM t; SELECT nothing FROM t").err, "ClickHouse error 47", "nothing")
	if strings.Contains(r.err, "goroutine") {
		t.Error("a stack is shown")
	}
}
