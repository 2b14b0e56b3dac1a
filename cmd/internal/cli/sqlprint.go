package cli

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// formats are the values of --format.
var formats = []string{"table", "json", "csv", "tsv"}

// printer prints the rows of a result as they come.
type printer interface {
	row(values []reflect.Value) error
	end() error
}

// column is a column of a result.
type column struct {
	name    string
	kind    columnType
	numeric bool
	written bool // the server has written the value already, for the format that is wanted
}

// newPrinter makes the printer of a format. written names the columns that the server has written itself.
func newPrinter(format string, out io.Writer, types []driver.ColumnType, written []string, layout tableLayout) (printer, error) {
	columns := make([]column, len(types))
	for i, t := range types {
		kind := parseType(t.DatabaseTypeName())
		columns[i] = column{name: t.Name(), kind: kind, numeric: isNumeric(kind.name), written: slices.Contains(written, t.Name())}
	}
	b := bufio.NewWriter(out)
	switch format {
	case "table":
		return &tablePrinter{out: b, layout: layout, columns: columns}, nil
	case "json":
		return &jsonPrinter{out: b, columns: columns}, nil
	case "csv":
		w := csv.NewWriter(b)
		return &linePrinter{columns: columns, null: `\N`, flush: b.Flush, line: func(fields []string) error {
			if err := w.Write(fields); err != nil {
				return err
			}
			w.Flush()
			return w.Error()
		}}, nil
	case "tsv":
		escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
		return &linePrinter{columns: columns, null: `\N`, flush: b.Flush, escape: escape.Replace, line: func(fields []string) error {
			_, err := b.WriteString(strings.Join(fields, "\t") + "\n")
			return err
		}}, nil
	}
	return nil, fmt.Errorf("unknown format %q", format)
}

// isNumeric reports whether a column is aligned to the right.
func isNumeric(kind string) bool {
	for _, prefix := range []string{"Int", "UInt", "Float", "BFloat", "Decimal"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// printRows prints a result and gives the number of rows.
func printRows(p printer, rows driver.Rows) (n int, err error) {
	types := rows.ColumnTypes()
	targets := make([]any, len(types))
	values := make([]reflect.Value, len(types))
	for rows.Next() {
		for i, t := range types { // anew for each row: a table keeps them
			v := reflect.New(t.ScanType())
			targets[i], values[i] = v.Interface(), v.Elem()
		}
		if err := rows.Scan(targets...); err != nil {
			return n, err
		}
		if err := p.row(values); err != nil {
			return n, err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return n, err // half a table would look like a whole one
	}
	return n, p.end()
}

// missing reports whether a value is NULL.
func missing(v reflect.Value) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return true
		}
		v = v.Elem()
	}
	return !v.IsValid()
}

// linePrinter prints a header and a line for each row.
type linePrinter struct {
	columns []column
	null    string
	escape  func(string) string
	line    func([]string) error
	flush   func() error
	begun   bool
}

func (p *linePrinter) begin() error {
	if p.begun {
		return nil
	}
	p.begun = true
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.name
	}
	return p.line(names)
}

func (p *linePrinter) row(values []reflect.Value) error {
	if err := p.begin(); err != nil {
		return err
	}
	fields := make([]string, len(values))
	for i, v := range values {
		if missing(v) {
			fields[i] = p.null
			continue
		}
		var w writer
		w.value(p.columns[i].kind, v, false)
		fields[i] = w.String()
		if p.escape != nil {
			fields[i] = p.escape(fields[i])
		}
	}
	return p.line(fields)
}

func (p *linePrinter) end() error {
	if err := p.begin(); err != nil {
		return err
	}
	return p.flush()
}

// jsonPrinter prints an array with an object for each row, a line each, its fields in the order of the columns.
type jsonPrinter struct {
	out     *bufio.Writer
	columns []column
	begun   bool
}

func (p *jsonPrinter) row(values []reflect.Value) error {
	lead := ",\n"
	if !p.begun {
		p.begun = true
		lead = "[\n"
	}
	w := writer{json: true}
	w.WriteString(lead + "{")
	for i, v := range values {
		if i > 0 {
			w.WriteByte(',')
		}
		w.text(p.columns[i].name, true)
		w.WriteByte(':')
		if p.columns[i].written {
			var raw writer
			raw.value(columnType{}, v, false)
			if missing(v) {
				raw.Reset()
				raw.WriteString("null")
			}
			w.WriteString(raw.String())
			continue
		}
		w.value(p.columns[i].kind, v, true)
	}
	w.WriteByte('}')
	_, err := p.out.WriteString(w.String())
	return err
}

func (p *jsonPrinter) end() error {
	tail := "\n]\n"
	if !p.begun {
		tail = "[]\n"
	}
	if _, err := p.out.WriteString(tail); err != nil {
		return err
	}
	return p.out.Flush()
}
