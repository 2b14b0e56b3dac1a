package cli

import (
	"bufio"
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// table prints rows, the first being the header. Numbers get separators and stand on the right. Where the terminal is too
// narrow, columns that say nothing in any row are left out, and if that is not enough, each row goes down the page.
func (p *program) table(rows [][]any) {
	t := &tablePrinter{out: bufio.NewWriter(p.out), layout: tableLayout{width: terminalWidth(p.out), wrap: true}}
	for i, row := range rows {
		cells := make([]string, len(row))
		for k, v := range row {
			n, isNumber := v.(int)
			if u, ok := v.(uint64); ok {
				n, isNumber = int(u), true
			}
			if cells[k] = fmt.Sprint(v); isNumber {
				cells[k] = count(n)
			}
			switch {
			case i == 0:
				t.columns = append(t.columns, column{name: cells[k]})
			case isNumber:
				t.columns[k].numeric = true
			}
		}
		if i > 0 {
			t.rows = append(t.rows, cells)
		}
	}
	if _, fits := t.limits(); !fits {
		t.leaveOut("0", "-", "")
	}
	_ = t.end() // standard output may be closed; the exit code tells the rest
}

// leaveOut takes away the columns that have nothing but such values.
func (p *tablePrinter) leaveOut(values ...string) {
	for k := len(p.columns) - 1; k >= 0; k-- {
		if slices.ContainsFunc(p.rows, func(row []string) bool { return !slices.Contains(values, row[k]) }) {
			continue
		}
		p.columns = slices.Delete(p.columns, k, k+1)
		for i, row := range p.rows {
			p.rows[i] = slices.Delete(row, k, k+1)
		}
	}
}

// newTable is a table in the one style of this program.
func newTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // names as they are, to be copied into a query
	t.SetStyle(style)
	return t
}
