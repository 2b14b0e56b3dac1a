package cli

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
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
		"SELECT $$;$$, $a$;$$;$a$; x":       {"SELECT $$;$$, $a$;$$;$a$", "x"},
		"SELECT 1 AS a$b, 2 AS c$b; x":      {"SELECT 1 AS a$b, 2 AS c$b", "x"},
		"SELECT $a; x":                      {"SELECT $a", "x"},
		"SELECT ‘;’, “;\"”; x":              {"SELECT ‘;’, “;\"”", "x"},
		"SELECT 1 /*/ ; */; x":              {"SELECT 1 /*/ ; */", "x"},
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
		}
	})
}

// What comes after the beginning of a result is an error only with the response's own tag.
func TestRelayResult(t *testing.T) {
	const end = "__exception__\r\ntag\r\nCode: 395. DB::Exception: it broke (version 1.2)\r\n40 tag\r\n__exception__\r\n"
	long := strings.Repeat("一", 50_000)
	for _, c := range []struct{ body, tag, want, err string }{
		{"a\n", "tag", "a\n", ""},
		{"a\n\r\n" + end, "tag", "a\n", "ClickHouse error 395: it broke"},
		{long + "\r\n" + end, "tag", long, "ClickHouse error 395: it broke"},
		{long + "\r\n" + end, "other", long + "\r\n" + end, ""},
		{end, "", end, ""},
		{long, "tag", long, ""},
	} {
		var got strings.Builder
		out := newOutput(&got)
		err := relayResult(out, iotest.HalfReader(strings.NewReader(c.body)), c.tag)
		if want := string(printableBytes([]byte(c.want))); got.String() != want || errorText(err) != c.err {
			t.Errorf("%.40q, %s: %.40q, %v", c.body, c.tag, got.String(), err)
		}
	}
}

func TestLogOfDurations(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &program{console: &console{to: &out}, machine: true}
	p.logger(config.Log{Level: "info", Format: config.FormatJSON}, slog.LevelInfo).Info("m", "after", 90*time.Second)
	if !strings.Contains(out.String(), `"after":"1m30s"`) {
		t.Error(out.String())
	}
}

// A server that goes away during a statement is the environment's failure, and it is said what to do.
func TestSQLThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if begun {
				_, _ = w.Write([]byte("1\n"))
				_ = http.NewResponseController(w).Flush()
			}
			panic(http.ErrAbortHandler)
		}))
		s := &sqlServer{Login: app.Login{HTTP: server.URL}, client: server.Client(), options: url.Values{}}
		err := s.ask(t.Context(), "SELECT 1", nil, io.Discard)
		for write, want := range map[bool]string{false: "Run it again", true: "look before you run it again"} {
			if err := explain(err, write); exitCode(t.Context(), err) != exitEnvironment || !strings.Contains(errorText(err), want) {
				t.Errorf("begun %v: %v", begun, err)
			}
		}
		server.Close()
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2024, 3, 31, 7, 8, 9, 0, time.FixedZone("", 8*3600)) // a Saturday still, in UTC
	for text, want := range map[string]string{
		"2024-01-02":                "2024-01-02T00:00:00Z",
		"2024-01-02T03:04:05Z":      "2024-01-02T03:04:05Z",
		"2024-01-02T03:04:05.6Z":    "2024-01-02T03:04:05Z",
		"2024-01-02T03:04:05+08:00": "2024-01-01T19:04:05Z",
		"2024-01-02T03:04+08:00":    "2024-01-01T19:04:00Z",
		"2024-01-02T03:04:05":       "2024-01-02T03:04:05Z",
		"2024-01-02 03:04":          "2024-01-02T03:04:00Z",
		"2024-01":                   "2024-01-01T00:00:00Z",
		"2024":                      "2024-01-01T00:00:00Z",
		"now":                       "2024-03-30T23:08:09Z",
		"today":                     "2024-03-30T00:00:00Z",
		"Yesterday":                 "2024-03-29T00:00:00Z",
		"this-week":                 "2024-03-25T00:00:00Z",
		"last-week":                 "2024-03-18T00:00:00Z",
		"this-month":                "2024-03-01T00:00:00Z",
		"last-month":                "2024-02-01T00:00:00Z",
		"last month":                "2024-02-01T00:00:00Z",
		"this-year":                 "2024-01-01T00:00:00Z",
		"last-year":                 "2023-01-01T00:00:00Z",
		"30d":                       "2024-02-29T23:08:09Z",
		"-30d":                      "2024-02-29T23:08:09Z",
		"1d12h":                     "2024-03-29T11:08:09Z",
		"90m":                       "2024-03-30T21:38:09Z",
	} {
		got, err := parseTime(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	// The month before is a month of another year, and a Sunday ends its week.
	for text, want := range map[string]string{"last-month": "2022-12-01T00:00:00Z", "this-week": "2022-12-26T00:00:00Z", "yesterday": "2022-12-31T00:00:00Z"} {
		if got, err := parseTime(text, time.Date(2023, 1, 1, 12, 0, 0, 0, time.UTC)); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "--1d", "-d", "-xd", "d", "2024-13", "2024-13-01", "2024-02-30", "24", "01.02.2024", "-99999999d", "+1d", "-+1d",
		"tomorrow", "last", "last-", "this", "next-month", "last-day", "this-day", "last-month-", "30 d", "2024-01-02T25:00:00Z"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		} else if said := err.Error(); !strings.Contains(said, "2024-01-31") || !strings.Contains(said, "last-month") || !strings.Contains(said, "UTC") {
			t.Errorf("%q: %v", text, err)
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
		"a\nb": "a\nb", "\x1b[31mred": `\u001b[31mred`, "\xff": "\uFFFD", "汉字": "汉字",
		"\u009b2J": `\u009b2J`, "a\u202eb\u2066": `a\u202eb\u2066`, "a\rb\x7f\a": `a\u000db\u007f\u0007`, "\U000e0001": `\udb40\udc01`, "全\u3000角\u00a0\tx": "全\u3000角\u00a0\tx",
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
		err := (&program{out: newOutput(&out)}).verdict(truth(), copied)
		if equal := name == ""; equal != (err == nil) || equal == strings.Contains(out.String(), "DIFFERENT") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
}
