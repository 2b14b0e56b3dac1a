package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
)

// formats are names of our own, as --format takes them, for formats of the server.
var formats = map[string]string{
	"table": "PrettyCompactMonoBlock", "json": "JSONEachRow", "jsonl": "JSONEachRow", "csv": "CSVWithNames", "tsv": "TSVWithNames",
	formatXLSX: sheetFormat,
}

// endings are the formats of files, by how their names end.
var endings = map[string]string{
	"": "table", ".txt": "table", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".xlsx": formatXLSX,
	".parquet": "Parquet", ".arrow": "Arrow", ".orc": "ORC", ".avro": "Avro", ".xml": "XML", ".md": "Markdown",
}

func (p *program) sql() *cobra.Command {
	var o sqlOptions
	cmd := &cobra.Command{
		Use:   "sql [QUERY]",
		Short: "Run SQL on the warehouse and print the result",
		Long: `Run SQL on the warehouse and print the result.

Without a QUERY it is an interactive prompt on a terminal, and reads standard
input elsewhere. Several statements are separated by semicolons; one that ends
with \G shows each row down the page. It works while the daemon runs. The
warehouse cannot be changed by accident: --write allows it.

Start with the views orders, order_items, spend, subscriptions, unpaid_orders,
order_history, sync_windows, rejects: DESCRIBE TABLE spend says what is in one.

The server formats the result: --format is table, json (an array with an object a
row), jsonl (a line a row), csv or tsv (with a line of names), xlsx, or any format
of ClickHouse, such as Parquet or Markdown; with -o the ending of the file says
which. FORMAT in the query goes before it. In JSON a decimal is a text, so that no
program that reads it makes a float of an amount of money; with --json integers of
64 bits are texts, too.

A file appears at its name when it is complete, or not at all. For a spreadsheet
take xlsx, or CSV with --excel: NULL is an empty cell, ids and what looks like a
formula stay texts, and so does a number of more than 15 digits, which a
spreadsheet would round.`,
		Example: `  ordersync sql "SELECT month, currency, sum(net) AS spent FROM spend GROUP BY ALL ORDER BY ALL"
  ordersync sql -f query.sql -o result.xlsx
  ordersync sql --param_day=2026-11-01 "SELECT count() FROM orders WHERE toDate(create_time) = {day:Date}"
  ordersync sql --login`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "table, json, jsonl, csv, tsv, xlsx, or any format of ClickHouse (default by the ending of -o, else table)")
	f.BoolVar(&p.machine, "json", false, "--format json, with integers of 64 bits as texts")
	f.BoolVar(&o.write, "write", false, "allow statements that change the warehouse")
	f.StringVarP(&o.file, "file", "f", "", "read the statements from a `file`; - is standard input")
	f.StringVarP(&o.into, "output", "o", "", "write the result to a `file`, which appears when it is whole")
	f.BoolVar(&o.excel, "excel", false, "--format csv, as spreadsheets read it")
	f.StringArrayVar(&o.params, "param", nil, "a parameter of the query, as `name=value`; --param_name=value is the same")
	f.BoolVar(&o.login, "login", false, "print how another program logs in to the warehouse to read it, with the password")
	cmd.MarkFlagsMutuallyExclusive("json", "format")
	cmd.MarkFlagsMutuallyExclusive("json", "excel")
	cmd.MarkFlagsMutuallyExclusive("login", "write")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.interactive = len(args) == 0 && o.file == "" && !o.login && isTerminal(p.in) && isTerminal(p.out)
		statements, params, err := p.sqlInput(&o, args)
		if err != nil {
			return usage(cmd, err)
		}
		err = p.withWarehouse(cmd.Context(), p.loadForReading, app.WarehouseOptions{ReadOnly: !o.write, AsReader: !o.write}, func(cfg *config.Config, w *app.Warehouse) error {
			if o.login {
				return p.login(cmd.Context(), cfg, w)
			}
			return p.runSQL(cmd.Context(), w, &o, statements, params)
		})
		if e := (*serverError)(nil); errors.As(err, &e) && e.code == 73 && strings.Contains(e.text, o.format) { // UNKNOWN_FORMAT
			return usage(cmd, fmt.Errorf("--format: %w", err))
		}
		return err
	}
	return cmd
}

// sqlOptions are the command line of the verb.
type sqlOptions struct {
	format, file, into               string
	params                           []string
	excel, write, login, interactive bool
}

// formatOf decides on the format: the one that is asked for, or that of the file.
func (o *sqlOptions) formatOf(json bool) error {
	ending := strings.ToLower(filepath.Ext(o.into))
	switch byEnding, known := endings[ending]; {
	case json:
		o.format = "json"
	case o.format != "":
	case known && (ending != "" || !o.excel):
		o.format = byEnding
	case o.excel:
		o.format = "csv"
	default:
		return fmt.Errorf("-o %s: no format belongs to the ending %s: add --format (%s have one)", o.into, ending,
			strings.Join(slices.Sorted(maps.Keys(endings))[1:], " "))
	}
	switch {
	case o.excel && o.format != "csv":
		return fmt.Errorf("--excel is for csv, and the format is %s", o.format)
	case (o.excel || o.format == formatXLSX) && o.interactive:
		return errors.New("a spreadsheet needs a query")
	}
	return nil
}

// comment begins a query, and no flag: a flag is a word on one line.
var comment = regexp.MustCompile(`^--(\s|[^=]*\n)`)

// splitParams makes --param_name=value, as other clients of ClickHouse have it, and --param_name value, a flag with that value. A
// query that begins with a comment is kept from being taken for a flag.
func splitParams(args []string) (out []string) {
	for i := 0; i < len(args); i++ {
		param, ok := strings.CutPrefix(args[i], "--param_")
		switch {
		case args[i] == "--":
			return append(out, args[i:]...)
		case comment.MatchString(args[i]):
			param = "\n" + args[i]
		case !ok:
			param = args[i]
		case !strings.Contains(param, "=") && i+1 < len(args):
			i++
			param = "--param=" + param + "=" + args[i]
		default:
			param = "--param=" + param
		}
		out = append(out, param)
	}
	return out
}

// sqlInput is what is to be run, but for the prompt.
func (p *program) sqlInput(o *sqlOptions, args []string) (statements []statement, params url.Values, err error) {
	params = url.Values{}
	for _, param := range o.params {
		name, value, ok := strings.Cut(param, "=")
		if !ok || name == "" {
			return nil, nil, fmt.Errorf("--param %s: write name=value", param)
		}
		// The server reads a parameter as a field of its text formats.
		params.Set("param_"+name, strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(value))
	}
	if err := o.formatOf(p.machine); err != nil {
		return nil, nil, err
	}
	switch {
	case o.login && (len(args) > 0 || o.file != "" || o.into != ""):
		return nil, nil, errors.New("--login runs no query")
	case o.interactive && o.into != "":
		return nil, nil, errors.New("-o needs a query")
	case o.login || o.interactive:
		return nil, params, nil
	case len(args) > 0 && o.file != "":
		return nil, nil, errors.New("give a query or a file, not both")
	}
	text := strings.Join(args, "")
	if len(args) == 0 || text == "-" {
		if text, err = p.readSQL(o.file); err != nil {
			return nil, nil, err
		}
	}
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return nil, nil, errors.New("the text is UTF-16: save it as UTF-8")
	}
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
	if statements = splitStatements(text); len(statements) == 0 {
		return nil, nil, errors.New("there is no statement to run")
	}
	return statements, params, nil
}

// readSQL reads a file, or standard input.
func (p *program) readSQL(name string) (string, error) {
	name = cmp.Or(name, "-")
	if name == "-" && isTerminal(p.in) {
		return "", errors.New("give a query, or pipe one in")
	}
	in, _, err := p.open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	const most = 64 << 20 // more is not a query but a mistake
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return "", fmt.Errorf("read the statements: %w", err)
	}
	if len(text) > most {
		return "", fmt.Errorf("the statements have more than %d MiB: data is loaded by clickhouse-client", most>>20)
	}
	return string(text), nil
}

// runSQL runs statements up to the first error, or the prompt.
func (p *program) runSQL(ctx context.Context, w *app.Warehouse, o *sqlOptions, statements []statement, params url.Values) error {
	s, err := p.session(ctx, w, o.write)
	if err != nil {
		return err
	}
	s.format, s.params = o.format, params
	if own, ok := formats[o.format]; ok {
		s.format = own
	}
	if o.excel || o.format == formatXLSX {
		s.sheet = o.format
	}
	if o.format == "json" {
		s.params.Set(arrayOfRows, "1")
	}
	if p.machine {
		s.params.Set("output_format_json_quote_64bit_integers", "1")
	}
	if len(statements) != 1 {
		if err := s.server.session(ctx); err != nil {
			return err
		}
	}
	if o.interactive {
		return s.prompt(ctx)
	}
	return s.into(o.into, func() error { return s.runAll(ctx, statements) })
}

// session runs statements one after the other on one warehouse.
type session struct {
	*program
	server *sqlServer
	guard  *guard // nil where the user's grants decide
	write  bool
	format string // the server's name of it
	sheet  string // the format of a spreadsheet, where one is to be made
	params url.Values
	to     io.Writer
}

// session logs in. Without write the user may only read, or is kept to it.
func (p *program) session(ctx context.Context, w *app.Warehouse, write bool) (*session, error) {
	login, err := w.Login(ctx)
	if err != nil {
		return nil, err
	}
	server, err := dialSQL(ctx, login, terminalWidth(p.out))
	if err != nil {
		return nil, err
	}
	s := &session{program: p, server: server, write: write, format: formats["table"], params: url.Values{}, to: p.out.data()}
	if !write && server.readonly == 0 { // of a reader, too, who may have been given more than it needs
		server.options.Set("readonly", "2") // settings may be chosen, and all else that changes nothing
	}
	if !write && !login.Reader {
		apart := *server
		apart.options = maps.Clone(server.options)
		s.guard = &guard{server: server, apart: &apart}
	}
	return s, nil
}

// runAll runs statements up to the first error.
func (s *session) runAll(ctx context.Context, statements []statement) error {
	for _, st := range statements {
		if s.guard != nil {
			if err := s.guard.allow(ctx, st.text, s.params); err != nil {
				return explain(err, s.write)
			}
		}
		format := s.format
		if st.vertical {
			format = "Vertical"
		}
		start := time.Now()
		if err := s.server.ask(ctx, st.text, withFormat(s.params, format), s.to); err != nil {
			return explain(err, s.write)
		}
		if isTerminal(s.to) && s.format == formats["table"] {
			fmt.Fprintf(s.out, "Done in %.3f s\n", time.Since(start).Seconds())
		}
	}
	return nil
}

// into runs with the results going to a file, or to standard output where none is named.
func (s *session) into(name string, run func() error) error {
	if name == "" {
		return s.formatted(s.to, run)
	}
	return writeFile(name, func(f io.Writer) error {
		return s.formatted(&resultFile{Writer: f, array: s.params.Has(arrayOfRows)}, run)
	})
}

// formatted runs with the results going somewhere, through a spreadsheet where one is to be made of them.
func (s *session) formatted(to io.Writer, run func() error) error {
	if s.to = to; s.sheet == "" {
		return run()
	}
	made := newSheet(s.sheet, to)
	rows := &sheetRows{to: made}
	s.to, s.format = rows, sheetFormat
	for name, value := range sheetSettings {
		if s.server.readonly != 1 { // else the user may not choose
			s.params.Set(name, value)
		}
	}
	err := run()
	if err = errors.Join(err, made.end(err == nil)); err == nil && rows.note() != "" {
		fmt.Fprintln(s.console, rows.note())
	}
	return err
}

// arrayOfRows is the setting that makes one array of the rows of a result.
const arrayOfRows = "output_format_json_array_of_rows"

// resultFile refuses a second result where that makes a file which nothing reads.
type resultFile struct {
	io.Writer
	array   bool   // lines of JSON are the elements of one
	format  string // of a format that takes no more
	results int    // that have data
	fresh   bool   // the result has had no data yet
}

// begin is part of answerer.
func (f *resultFile) begin(h http.Header) error {
	f.fresh, f.format = true, ""
	if kind := h.Get("Content-Type"); !strings.HasPrefix(kind, "text/") && (f.array || !strings.HasPrefix(kind, "application/x-ndjson")) {
		f.format = h.Get("X-ClickHouse-Format")
	}
	return nil
}

// Write is part of io.Writer.
func (f *resultFile) Write(b []byte) (int, error) {
	if f.fresh && len(b) > 0 {
		f.fresh = false
		if f.results++; f.results > 1 && f.format != "" {
			return 0, fmt.Errorf("a file of the format %s holds the result of one statement: write each to a file of its own", f.format)
		}
	}
	return f.Writer.Write(b)
}
