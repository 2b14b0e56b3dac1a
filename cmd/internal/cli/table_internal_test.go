package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
)

func TestTableFits(t *testing.T) {
	t.Parallel()
	columns := []column{{name: "name"}, {name: "config"}, {name: "amount", numeric: true}}
	product, config, amount := strings.Repeat("database", 8), strings.Repeat("k:v;", 30), "123456789012345678901234.000000000001"
	for width := 0; width < 240; width++ {
		var b strings.Builder
		p := &grid{out: &b, width: width, columns: columns, rows: [][]string{{product, config, amount}, {"a\nb", "", "1"}}}
		limits, fits := p.limits()
		p.table(limits)
		if fits != (width == 0 || width >= 87) {
			t.Errorf("width %d: fits: %v", width, fits)
		}
		if !strings.Contains(b.String(), amount) {
			t.Errorf("width %d: a number was cut:\n%s", width, b.String())
		}
		for line := range strings.Lines(b.String()) {
			if n := text.StringWidth(strings.TrimSuffix(line, "\n")); fits && width > 0 && n > width {
				t.Errorf("width %d: a line has %d:\n%s", width, n, b.String())
			}
		}
	}
}

func TestTableDownThePage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	(&grid{out: &b, columns: []column{{name: "id"}, {name: "amount"}}, rows: [][]string{{"1\n2", "3"}, {"x", "4"}}}).vertical()
	if diff := cmp.Diff("─ row 1 \nid:     1\n        2\namount: 3\n─ row 2 \nid:     x\namount: 4\n", b.String()); diff != "" {
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
