package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/sync/simulator"
)

func TestSplitStatements(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  nil,
		" ; ;\n":                            nil,
		"SELECT 1":                          {"SELECT 1"},
		"SELECT 1;;SELECT 2;":               {"SELECT 1", "SELECT 2"},
		"SELECT ';', \"a;b\", `c;d`; x":     {"SELECT ';', \"a;b\", `c;d`", "x"},
		`SELECT 'it\'s;', 'it''s;'; x`:      {`SELECT 'it\'s;', 'it''s;'`, "x"},
		"SELECT 1 -- a; b\n, 2; x":          {"SELECT 1 -- a; b\n, 2", "x"},
		"SELECT 1 /* a; b */, 2; x":         {"SELECT 1 /* a; b */, 2", "x"},
		"-- only a comment; nothing\n/* */": nil,
		"SELECT 'not closed; x":             {"SELECT 'not closed; x"},
		"SELECT 5 - -3; x":                  {"SELECT 5 - -3", "x"},
	} {
		var got []string
		for _, s := range splitStatements(text) {
			got = append(got, s.text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q:\n%s", text, diff)
		}
	}
}

// Whatever is split, nothing but semicolons and blanks is lost, and nothing panics.
func FuzzSplitStatements(f *testing.F) {
	f.Add("SELECT 1; -- x\n/* ; */ SELECT ';'")
	f.Add("'\\")
	f.Add("/*")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range splitStatements(text) {
			if !strings.Contains(text, s.text) {
				t.Errorf("%q is not in %q", s.text, text)
			}
			hasResult(s.text)
		}
		parseType(text)
	})
}

func TestHasResult(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT 1": true, "-- x\n/* y */ with 1 as a select a": true, "(SELECT 1)": true, "SHOW TABLES": true,
		"INSERT INTO t VALUES (1)": false, "DROP TABLE t": false, "selection": false,
	} {
		if hasResult(statement) != want {
			t.Errorf("%q: %v", statement, !want)
		}
	}
}

func TestParseType(t *testing.T) {
	got := parseType("Array(Tuple(a Nullable(DateTime64(3, 'Asia/Shanghai')), `b c` Enum8('x,)' = 1, 'y' = 2)))")
	tuple := got.arg(0)
	names := []string{got.name, tuple.name, tuple.arg(0).name, tuple.arg(0).arg(0).name, tuple.arg(1).name}
	if fmt.Sprint(names) != "[Array Tuple DateTime64 3 Enum8]" || fmt.Sprint(tuple.keys) != "[a b c]" {
		t.Errorf("%+v", got)
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for text, want := range map[string]string{
		"2024-01-02":                "2024-01-02T00:00:00Z",
		"2024-01-02T03:04:05Z":      "2024-01-02T03:04:05Z",
		"2024-01-02T03:04:05+08:00": "2024-01-01T19:04:05Z",
		"now":                       "2024-05-06T07:08:09Z",
		"-30d":                      "2024-04-06T07:08:09Z",
		"-90m":                      "2024-05-06T05:38:09Z",
	} {
		got, err := parseTime(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "-d", "-xd", "2024-13-01", "01.02.2024", "-99999999d", "+1d"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -999: "-999"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Millisecond: "1.2s", 61 * time.Second: "1m1s", 25 * time.Hour: "1d1h", -90 * time.Minute: "-1h30m",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb": "a\nb", "\x1b[31mred": `\x1b[31mred`, "\xff": "\uFFFD", "汉字": "汉字",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// The demo must not praise a copy that is not exact.
func TestDemoVerdict(t *testing.T) {
	account := simulator.NewAccount(simulator.Options{Orders: 50})
	truth := func() simulator.Truth { return account.Truth(time.Time{}, time.Time{}) }
	for name, spoil := range map[string]func(*simulator.Truth){
		"":       func(*simulator.Truth) {},
		"count":  func(t *simulator.Truth) { t.Items-- },
		"digest": func(t *simulator.Truth) { t.IDDigest ^= 1 },
		"status": func(t *simulator.Truth) { t.Statuses["Lost"] = 1 },
		"money": func(t *simulator.Truth) {
			a := t.ItemAmounts["CNY"]
			a.Tax = a.Tax.Add(decimal.New(1, -12))
			t.ItemAmounts["CNY"] = a
		},
		"currency": func(t *simulator.Truth) { t.OrderAmounts["JPY"] = simulator.Amounts{Tax: decimal.New(1, 0)} },
	} {
		var out strings.Builder
		copied := truth()
		spoil(&copied)
		err := (&program{out: &out}).verdict(truth(), copied)
		if equal := name == ""; equal != (err == nil) || equal == strings.Contains(out.String(), "DIFFERENT") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
}
