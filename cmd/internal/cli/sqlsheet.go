package cli

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// A spreadsheet keeps numbers as binary floats of 15 digits, guesses what a text may be, and calculates what looks like a formula. So
// results for one are not formatted by the server, which does not know that, but are made from its rows with their types.

// sheetFormat is the server's format that a spreadsheet is made of. It tells a NULL from every text.
const sheetFormat = "TSVWithNamesAndTypes"

// sheetSettings are how that format is read here, whatever the user's profile says.
var sheetSettings = map[string]string{
	"format_tsv_null_representation": `\N`, "output_format_tsv_crlf_end_of_line": "0", "date_time_output_format": "simple",
	"bool_true_representation": "true", "bool_false_representation": "false",
}

// sheetDigits are the digits that a spreadsheet keeps of a number.
const sheetDigits = 15

// sheet is a spreadsheet that is being written.
type sheet interface {
	header([]sheetColumn) error
	row([]sheetCell) error
	// end writes what is not written yet where the result is whole, and lets go of the sheet in any case.
	end(whole bool) error
}

// newSheet is the spreadsheet of a file: xlsx, or CSV.
func newSheet(format string, to io.Writer) sheet {
	if format == formatXLSX {
		return newWorkbook(to)
	}
	return &csvSheet{Writer: csv.NewWriter(to), to: to}
}

// sheetKind is what a spreadsheet can make of a column.
type sheetKind int

const (
	kindText sheetKind = iota
	kindInteger
	kindDecimal
	kindFloat
	kindDate
	kindTime
	kindBool
)

// sheetColumn is a column of a result.
type sheetColumn struct {
	name  string
	kind  sheetKind
	scale int    // digits after the point, of a decimal or of a time's seconds
	zone  string // of a time
	long  int    // how many of its numbers have more digits than a spreadsheet keeps
}

// sheetCell is a value as the server writes it.
type sheetCell struct {
	text string
	null bool
	long bool // a number of more digits than a spreadsheet keeps: it is shown as a text, or it would be rounded
}

var (
	wrappedType  = regexp.MustCompile(`^(?:Nullable|LowCardinality|SimpleAggregateFunction)\((?:\w+, )?(.*)\)$`)
	integerType  = regexp.MustCompile(`^U?Int\d+$`)
	decimalType  = regexp.MustCompile(`^Decimal\(\d+, (\d+)\)$`)
	dateTimeType = regexp.MustCompile(`^DateTime(?:64)?(?:\((\d)?(?:, )?(?:'(.*)')?\))?$`)
)

// newSheetColumn reads the server's name of a type. zone is the server's own, in which times are whose type names none.
func newSheetColumn(name, typ, zone string) sheetColumn {
	for m := wrappedType.FindStringSubmatch(typ); m != nil; m = wrappedType.FindStringSubmatch(typ) {
		typ = m[1]
	}
	c := sheetColumn{name: name}
	switch {
	case integerType.MatchString(typ):
		c.kind = kindInteger
	case typ == "Float32", typ == "Float64", typ == "BFloat16":
		c.kind = kindFloat
	case typ == "Date", typ == "Date32":
		c.kind = kindDate
	case typ == "Bool":
		c.kind = kindBool
	default:
		if m := decimalType.FindStringSubmatch(typ); m != nil {
			c.kind = kindDecimal
			c.scale, _ = strconv.Atoi(m[1]) // digits
		} else if m := dateTimeType.FindStringSubmatch(typ); m != nil {
			c.kind, c.zone = kindTime, cmp.Or(m[2], zone)
			c.scale, _ = strconv.Atoi(m[1])
		}
	}
	return c
}

// sheetRows passes the rows of a result on to a spreadsheet as they come from the server.
type sheetRows struct {
	to      sheet
	zone    string // of the server
	begun   []byte // of a line
	names   []string
	columns []sheetColumn
	rows    int
}

// begin is part of answerer.
func (r *sheetRows) begin(h http.Header) error {
	if format := h.Get("X-ClickHouse-Format"); format != "" && format != sheetFormat {
		return fmt.Errorf("the statement asks for the format %s, and a spreadsheet is made here: leave out its FORMAT or \\G", format)
	}
	if r.columns != nil {
		return errors.New("a spreadsheet holds the result of one statement: write each to a file of its own")
	}
	r.zone = h.Get("X-ClickHouse-Timezone")
	return nil
}

// Write is part of io.Writer.
func (r *sheetRows) Write(b []byte) (int, error) {
	r.begun = append(r.begun, b...)
	for {
		line, rest, whole := bytes.Cut(r.begun, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		if err := r.line(string(line)); err != nil {
			return 0, err
		}
		r.begun = rest
	}
}

// sheetText undoes what the server's format does to a text.
var sheetText = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\b`, "\b", `\f`, "\f", `\0`, "\x00", `\'`, `'`)

func (r *sheetRows) line(line string) error {
	fields := strings.Split(line, "\t")
	switch {
	case r.names == nil:
		for _, name := range fields {
			r.names = append(r.names, sheetText.Replace(name))
		}
		return nil
	case r.columns == nil:
		for i, typ := range fields {
			r.columns = append(r.columns, newSheetColumn(r.names[i], sheetText.Replace(typ), r.zone))
		}
		return r.to.header(r.columns)
	}
	r.rows++
	cells := make([]sheetCell, len(fields))
	for i, field := range fields {
		c := &r.columns[i]
		cells[i] = sheetCell{text: sheetText.Replace(field), null: field == `\N`}
		if (c.kind == kindInteger || c.kind == kindDecimal) && !cells[i].null && significant(field) > sheetDigits {
			cells[i].long = true
			c.long++
		}
	}
	return r.to.row(cells)
}

// significant counts the digits of a number that matter.
func significant(number string) int {
	whole, fraction, _ := strings.Cut(strings.TrimLeft(number, "-"), ".")
	return len(strings.Trim(whole+fraction, "0"))
}

// note says which columns have numbers that became texts; it is empty where none has.
func (r *sheetRows) note() string {
	var long []string
	for _, c := range r.columns {
		if c.long > 0 {
			long = append(long, plural(c.long, "value")+" of "+c.name)
		}
	}
	if long == nil {
		return ""
	}
	return fmt.Sprintf("note: %s: a spreadsheet keeps %d digits of a number, and these have more. They are texts, exact, and no sum has them in it; "+
		"round(…, 2) in the query makes numbers of them", strings.Join(long, ", "), sheetDigits)
}

// csvSheet is CSV as spreadsheets read it.
type csvSheet struct {
	*csv.Writer
	to      io.Writer
	columns []sheetColumn
}

func (s *csvSheet) header(columns []sheetColumn) error {
	s.columns = columns
	// Without this mark a spreadsheet takes the text for one of another encoding than UTF-8.
	if _, err := io.WriteString(s.to, "\ufeff"); err != nil {
		return err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = csvText(c.name)
	}
	return s.Write(names)
}

func (s *csvSheet) row(cells []sheetCell) error {
	fields := make([]string, len(cells))
	for i, c := range cells {
		switch kind := s.columns[i].kind; {
		case c.null: // empty
		case c.long:
			fields[i] = quotedText(c.text)
		case kind == kindText:
			fields[i] = csvText(c.text)
		case kind == kindTime: // a fraction makes spreadsheets show minutes and seconds alone
			fields[i] = strings.TrimSuffix(c.text, ".000")
		default:
			fields[i] = c.text
		}
	}
	return s.Write(fields)
}

func (s *csvSheet) end(whole bool) error {
	if whole {
		s.Flush()
	}
	return s.Error()
}

// numberLike is a text that a spreadsheet takes for a number, a date or a time: an id loses its digits or its zeros by that.
var numberLike = regexp.MustCompile(`^[\d.,:/ -]*\d[\d.,:/ -]*(?:[eE][+-]?\d+)?%?$`)

// csvText is a text as a cell of CSV that a spreadsheet leaves as it is. What it would calculate gets an apostrophe: that marks a
// text, though some show it.
func csvText(text string) string {
	switch first, _ := utf8.DecodeRuneInString(text); {
	case strings.ContainsRune("=+-@\t\r\n＝＋－＠", first):
		return "'" + text
	case numberLike.MatchString(text):
		return quotedText(text)
	}
	return text
}

// quotedText is a formula whose result is a text of digits: the one way to have a spreadsheet read such a text from CSV.
func quotedText(digits string) string { return `="` + digits + `"` }

// formatXLSX is a format of our own.
const formatXLSX = "xlsx"

// Limits of an xlsx file, in Excel's specification. The header is one of the rows.
const (
	xlsxRows       = 1_048_576
	xlsxColumns    = 16_384
	xlsxCharacters = 32_767 // of a cell, in UTF-16
)

// workbook is an xlsx file with one sheet. Its rows wait in a temporary file, when they are many, until the end.
type workbook struct {
	to      io.Writer
	file    *excelize.File
	sheet   *excelize.StreamWriter
	columns []sheetColumn
	styles  []int
	rows    int
}

func newWorkbook(to io.Writer) *workbook { return &workbook{to: to, file: excelize.NewFile()} }

// xlsxFormat is how the values of a column are shown, and how wide it is: with all digits, and of a time with its zone, which no
// spreadsheet keeps.
func xlsxFormat(c sheetColumn) (format string, width float64) {
	switch c.kind {
	case kindInteger:
		return "0", 12
	case kindDecimal:
		return strings.TrimSuffix("0."+strings.Repeat("0", min(c.scale, 2))+strings.Repeat("#", max(c.scale-2, 0)), "."), 16
	case kindDate:
		return "yyyy-mm-dd", 12
	case kindTime:
		format = "yyyy-mm-dd hh:mm:ss"
		if c.scale > 0 {
			format += ".000"
		}
		return format + ` "` + c.zone + `"`, 25 + float64(len(c.zone))
	case kindFloat, kindBool:
		return "General", 12
	}
	return "@", 24
}

func (w *workbook) header(columns []sheetColumn) (err error) {
	if len(columns) > xlsxColumns {
		return fmt.Errorf("the result has %s columns, and a sheet of xlsx %s: select fewer, or write .csv or .parquet", count(len(columns)), count(xlsxColumns))
	}
	w.columns = columns
	if err := w.file.SetDocProps(&excelize.DocProperties{Creator: "ordersync"}); err != nil {
		return err
	}
	if w.sheet, err = w.file.NewStreamWriter(w.file.GetSheetName(0)); err != nil {
		return err
	}
	bold, err := w.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	names := make([]any, len(columns))
	for i, c := range columns {
		format, width := xlsxFormat(c)
		style, err := w.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
		if err != nil {
			return err
		}
		w.styles = append(w.styles, style)
		names[i] = excelize.Cell{StyleID: bold, Value: c.name}
		if err := w.sheet.SetColWidth(i+1, i+1, max(width, float64(min(len(c.name)+2, 40)))); err != nil {
			return err
		}
	}
	if err := w.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	return w.add(names)
}

func (w *workbook) row(cells []sheetCell) error {
	values := make([]any, len(cells))
	for i, c := range cells {
		if c.null {
			continue
		}
		if n := len(utf16.Encode([]rune(c.text))); n > xlsxCharacters {
			return fmt.Errorf("row %s: %s has %s characters, and a cell of xlsx holds %s: leave the column out, shorten it by substring(%[2]s, 1, %[5]d), "+
				"or write .csv or .parquet", count(w.rows), w.columns[i].name, count(n), count(xlsxCharacters), xlsxCharacters)
		}
		values[i] = excelize.Cell{StyleID: w.styles[i], Value: xlsxValue(w.columns[i].kind, c)}
	}
	return w.add(values)
}

// xlsxValue is a value as the library takes it; a text where xlsx has nothing that is equal.
func xlsxValue(kind sheetKind, c sheetCell) any {
	switch {
	case c.long:
	case kind == kindInteger, kind == kindDecimal, kind == kindFloat:
		if n, err := strconv.ParseFloat(c.text, 64); err == nil {
			return n // exact: sheetDigits are fewer than those of a float
		}
	case kind == kindBool:
		return c.text == "true"
	case kind == kindDate, kind == kindTime:
		layout := time.DateTime
		if kind == kindDate {
			layout = time.DateOnly
		}
		// The dates of xlsx begin with a mistake: there was no 29 February in 1900.
		if t, err := time.Parse(layout, c.text); err == nil && t.Year() > 1900 && t.Equal(t.Truncate(time.Millisecond)) {
			return t
		}
	}
	return c.text
}

func (w *workbook) add(values []any) error {
	if w.rows++; w.rows > xlsxRows {
		return fmt.Errorf("the result has more rows than a sheet of xlsx, %s with the header: narrow it by WHERE or LIMIT, or write .csv or .parquet", count(xlsxRows))
	}
	return w.sheet.SetRow("A"+strconv.Itoa(w.rows), values)
}

func (w *workbook) end(whole bool) (err error) {
	defer func() { err = errors.Join(err, w.file.Close()) }()
	switch {
	case !whole:
		return nil
	case w.sheet == nil:
		return errors.New("the statement has no result, and xlsx is for one")
	}
	if err := w.sheet.Flush(); err != nil {
		return err
	}
	return w.file.Write(w.to)
}
