package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// table prints rows, the first being the header. Numbers get separators and stand on the right.
func (p *program) table(rows [][]any) {
	t := newTable()
	var configs []table.ColumnConfig
	for i, row := range rows {
		cells := make(table.Row, len(row))
		for k, v := range row {
			n, isNumber := v.(int)
			if u, ok := v.(uint64); ok {
				n, isNumber = int(u), true
			}
			if isNumber {
				cells[k] = count(n)
			} else {
				cells[k] = fmt.Sprint(v)
			}
			if isNumber && i == 1 {
				configs = append(configs, table.ColumnConfig{Number: k + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
			}
		}
		if i == 0 {
			t.AppendHeader(cells)
		} else {
			t.AppendRow(cells)
		}
	}
	t.SetColumnConfigs(configs)
	fmt.Fprintln(p.out, t.Render())
}

// newTable is a table in the one style of this program.
func newTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // names as they are, to be copied into a query
	t.SetStyle(style)
	return t
}
