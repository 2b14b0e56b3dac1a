package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// table prints rows, the first being the header. Numbers get separators and stand on the right. Where the terminal is too
// narrow, columns that say nothing in any row are left out, long texts go on in the next line, and if that is not enough,
// each row goes down the page.
func (p *program) table(rows [][]any) {
	t := &grid{out: p.out, width: terminalWidth(p.out)}
	for i, row := range rows {
		cells := make([]string, len(row))
		for k, v := range row {
			n, isNumber := v.(int)
			if u, ok := v.(uint64); ok {
				n, isNumber = int(u), true
			}
			if cells[k] = printable(fmt.Sprint(v)); isNumber {
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
	limits, fits := t.limits()
	if !fits {
		t.leaveOut("0", "-", "")
		limits, fits = t.limits()
	}
	if fits || len(t.rows) == 0 {
		t.table(limits)
	} else {
		t.vertical()
	}
}

// terminalWidth is the width of a terminal in characters; 0 where it is none, or says nothing.
func terminalWidth(out io.Writer) int {
	if o, ok := out.(*output); ok {
		out = o.to
	}
	f, ok := out.(*os.File)
	if !ok || !isTerminal(f) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// grid is a table on its way to where it is shown.
type grid struct {
	out     io.Writer
	width   int // of the terminal, in characters; 0 = no limit
	columns []column
	rows    [][]string
}

type column struct {
	name    string
	numeric bool
}

// leaveOut takes away the columns that have nothing but such values.
func (p *grid) leaveOut(values ...string) {
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

// shortest is what a line of a value is cut to at most: ids stay whole. A table that needs more is shown down the page.
const shortest = 20

// limits are the widths of the columns at which the table fits; 0 = as wide as it is. The widest texts give way first,
// and numbers never do.
func (p *grid) limits() (limits []int, fits bool) {
	limits = make([]int, len(p.columns))
	if p.width == 0 {
		return limits, true
	}
	widths := make([]int, len(p.columns))
	for i, c := range p.columns {
		widths[i] = text.LongestLineLen(c.name)
		for _, row := range p.rows {
			widths[i] = max(widths[i], text.LongestLineLen(row[i]))
		}
	}
	total := func(most int) (sum int) {
		for i, w := range widths {
			if !p.columns[i].numeric {
				w = min(w, most)
			}
			sum += w + 3 // a line, and a blank on each side
		}
		return sum + 1
	}
	most := 0
	for _, w := range widths {
		most = max(most, w)
	}
	for most > shortest && total(most) > p.width {
		most--
	}
	for i, w := range widths {
		if !p.columns[i].numeric && w > most {
			limits[i] = most
		}
	}
	return limits, total(most) <= p.width
}

// table prints the rows side by side.
func (p *grid) table(limits []int) {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // names as they are, to be copied into a query
	t.SetStyle(style)
	header := make(table.Row, len(p.columns))
	configs := make([]table.ColumnConfig, len(p.columns))
	for i, c := range p.columns {
		header[i] = c.name
		configs[i] = table.ColumnConfig{Number: i + 1}
		if c.numeric {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
		if limits[i] > 0 {
			configs[i].WidthMax, configs[i].WidthMaxEnforcer = limits[i], text.WrapSoft
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, row := range p.rows {
		cells := make(table.Row, len(row))
		for i, value := range row {
			cells[i] = value
		}
		t.AppendRow(cells)
	}
	fmt.Fprintln(p.out, t.Render())
}

// vertical prints each row down the page: a line for each column.
func (p *grid) vertical() {
	longest := 0
	for _, c := range p.columns {
		longest = max(longest, text.StringWidth(c.name))
	}
	for n, row := range p.rows {
		title := fmt.Sprintf("─ row %s ", count(n+1))
		fmt.Fprintln(p.out, title+strings.Repeat("─", max(0, longest+2-text.StringWidth(title))))
		for i, c := range p.columns {
			name := text.Pad(c.name+":", longest+2, ' ')
			fmt.Fprintln(p.out, name+strings.ReplaceAll(row[i], "\n", "\n"+strings.Repeat(" ", longest+2)))
		}
	}
}
