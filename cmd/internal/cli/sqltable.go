package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// tableLayout is how a table fits where it is shown.
type tableLayout struct {
	width    int  // of the terminal, in characters; 0 = no limit
	vertical bool // each row down the page, whatever the width
	wrap     bool // long values go on in the next line instead of being cut
}

// terminalWidth is the width of a terminal in characters; 0 where it is none, or says nothing.
func terminalWidth(out io.Writer) int {
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

// tablePrinter keeps the rows until the end, because widths depend on all of them.
type tablePrinter struct {
	out     *bufio.Writer
	layout  tableLayout
	columns []column
	rows    [][]string
	left    int
}

// tableRows bounds what a table keeps in memory; nobody reads more, and programs use the other formats.
const tableRows = 10_000

func (p *tablePrinter) row(values []reflect.Value) error {
	if len(p.rows) == tableRows {
		p.left++
		return nil
	}
	row := make([]string, len(values))
	for i, v := range values {
		var w writer
		w.value(p.columns[i].kind, v, false)
		row[i] = printable(w.String())
	}
	p.rows = append(p.rows, row)
	return nil
}

// printable shows control characters instead of sending them to the terminal: what a table shows was written by others.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // a byte that is no text becomes U+FFFD
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

func (p *tablePrinter) end() error {
	limits, fits := p.limits()
	switch {
	case p.layout.vertical, !fits && len(p.rows) > 0:
		p.vertical()
	default:
		p.table(limits)
	}
	if p.left > 0 {
		fmt.Fprintf(p.out, "%s more rows are not shown: use LIMIT, or --format csv\n", count(p.left))
	}
	return p.out.Flush()
}

// shortest is what a value is cut to at most: ids stay whole. A table that needs more is shown down the page.
const shortest = 20

// limits are the widths of the columns at which the table fits; 0 = as wide as it is. The widest texts give way first,
// and numbers and times never do: half a number is a wrong one.
func (p *tablePrinter) limits() (limits []int, fits bool) {
	limits = make([]int, len(p.columns))
	if p.layout.width == 0 {
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
			if p.columns[i].cuttable() {
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
	for most > shortest && total(most) > p.layout.width {
		most--
	}
	for i, w := range widths {
		if p.columns[i].cuttable() && w > most {
			limits[i] = most
		}
	}
	return limits, total(most) <= p.layout.width
}

// cuttable reports whether a part of a value is of use.
func (c column) cuttable() bool {
	switch c.kind.name {
	case "Date", "Date32", "DateTime", "DateTime64", "Bool", "UUID":
		return false
	}
	return !c.numeric
}

// table prints the rows side by side.
func (p *tablePrinter) table(limits []int) {
	t := newTable()
	header := make(table.Row, len(p.columns))
	configs := make([]table.ColumnConfig, len(p.columns))
	cut := false
	for i, c := range p.columns {
		header[i] = c.name
		configs[i] = table.ColumnConfig{Number: i + 1}
		if c.numeric {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
		if limits[i] > 0 {
			configs[i].WidthMax, configs[i].WidthMaxEnforcer = limits[i], cutLines
			if p.layout.wrap {
				configs[i].WidthMaxEnforcer = text.WrapSoft
			}
			cut = !p.layout.wrap
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
	if cut {
		fmt.Fprintln(p.out, `Long values are cut (…): end the statement with \G to see all of them.`)
	}
}

// cutLines cuts each line of a value.
func cutLines(value string, most int) string {
	lines := strings.Split(value, "\n")
	for i, line := range lines {
		lines[i] = text.Snip(line, most, "…")
	}
	return strings.Join(lines, "\n")
}

// vertical prints each row down the page: a line for each column.
func (p *tablePrinter) vertical() {
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
