package cli

import (
	"bufio"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
)

// rendered is a table of rows of texts; a column's type follows its name.
func rendered(t *testing.T, layout tableLayout, columns []string, rows ...[]string) string {
	t.Helper()
	var b strings.Builder
	p := &tablePrinter{out: bufio.NewWriter(&b), layout: layout}
	for _, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		parsed := parseType(kind)
		p.columns = append(p.columns, column{name: name, kind: parsed, numeric: isNumeric(parsed.name)})
	}
	for _, r := range rows {
		values := make([]reflect.Value, len(r))
		for i, v := range r {
			values[i] = reflect.ValueOf(v)
		}
		if err := p.row(values); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTableFits(t *testing.T) {
	t.Parallel()
	columns := []string{"name String", "config Nullable(String)", "amount Decimal(38,12)"}
	product, config, amount := strings.Repeat("云数据库", 8), strings.Repeat("k:v;", 30), "123456789012345678901234.000000000001"
	for width := 20; width < 240; width++ {
		got := rendered(t, tableLayout{width: width}, columns, []string{product, config, amount}, []string{"a\nb", "", "1"})
		if !strings.HasPrefix(got, "╭") {
			if width >= 90 {
				t.Errorf("%d characters are enough for a table:\n%s", width, got)
			}
			if !strings.Contains(got, config) || !strings.Contains(got, product) {
				t.Errorf("down the page nothing is cut:\n%s", got)
			}
			continue
		}
		if !strings.Contains(got, amount) {
			t.Errorf("width %d: a number was cut:\n%s", width, got)
		}
		if cut := strings.Contains(got, "…"); cut != strings.Contains(got, `\G`) {
			t.Errorf("width %d: it is not said that something was cut:\n%s", width, got)
		}
		for line := range strings.Lines(got) {
			if n := text.StringWidth(strings.TrimSuffix(line, "\n")); n > width && !strings.Contains(line, `\G`) {
				t.Errorf("width %d: a line has %d:\n%s", width, n, got)
			}
		}
	}
	whole := rendered(t, tableLayout{}, columns, []string{product, config, amount})
	if !strings.Contains(whole, product) || !strings.Contains(whole, config) || strings.Contains(whole, "…") {
		t.Errorf("something was cut where there is no terminal:\n%s", whole)
	}
}

func TestTableDownThePage(t *testing.T) {
	t.Parallel()
	got := rendered(t, tableLayout{vertical: true}, []string{"id String", "amount Decimal(38,12)"}, []string{"1\n2", "3"}, []string{"x", "4"})
	if diff := cmp.Diff("─ row 1 \nid:     1\n        2\namount: 3\n─ row 2 \nid:     x\namount: 4\n", got); diff != "" {
		t.Error(diff)
	}
}

func TestIsWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "SELECT 1;": true, "SELECT 1; ": true, "SELECT 1; -- done": true, "SELECT 1 \\G": true, "\\d": true, "help": true, " EXIT ": true,
		"SELECT 1": false, "SELECT ';'": false, "SELECT 1 -- ;": false, "SELECT '\\G'": false, "SELECT 1; SELECT 2": false, "helpless": false,
	} {
		if isWhole(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	want := []statement{{text: "SELECT 1", vertical: true}, {text: "SELECT '\\G;'"}, {text: "SELECT 3"}}
	if diff := cmp.Diff(want, splitStatements("SELECT 1\\G SELECT '\\G;'; SELECT 3"), cmp.AllowUnexported(statement{})); diff != "" {
		t.Error(diff)
	}
}
