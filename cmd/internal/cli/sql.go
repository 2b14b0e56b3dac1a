package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
)

func (p *program) sql() *cobra.Command {
	var format string
	var write bool
	cmd := &cobra.Command{
		Use:   "sql [QUERY]",
		Short: "Run SQL on the warehouse and print the result",
		Long: `Run SQL on the warehouse and print the result.

Without a QUERY it is an interactive prompt on a terminal, and reads standard
input elsewhere. Several statements are separated by semicolons; one that ends
with \\G shows each row down the page. It works while the daemon runs. The
warehouse cannot be changed by accident: --write allows it.

Start with the views orders, order_items, spend, subscriptions, unpaid_orders,
order_history, sync_windows, rejects: DESCRIBE TABLE spend says what is in one.

Values look as ClickHouse writes them. In JSON a decimal is a text, so that no
program that reads it makes a float of an amount of money.`,
		Example: `  ordersync sql "SELECT toStartOfMonth(create_time) AS month, currency, sum(pretax_amount) FROM orders GROUP BY ALL ORDER BY ALL"
  ordersync sql --format csv < query.sql > result.csv`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&format, "format", "table", strings.Join(formats, ", "))
	cmd.Flags().BoolVar(&write, "write", false, "allow statements that change the warehouse")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(formats, format) {
			return usage(cmd, fmt.Errorf("unknown format %q (%s)", format, strings.Join(formats, ", ")))
		}
		interactive := len(args) == 0 && isTerminal(p.in) && isTerminal(p.out)
		var statements []statement
		if !interactive {
			query, err := p.query(args)
			if err != nil {
				return usage(cmd, err)
			}
			if statements = splitStatements(query); len(statements) == 0 {
				return usage(cmd, errors.New("there is no statement to run"))
			}
		}
		cfg, err := p.loadForReading()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		w, err := p.openWarehouse(ctx, cfg, !write)
		if err != nil {
			return err
		}
		defer w.Close()
		s := &session{program: p, conn: w.Conn(), format: format, readonly: !write && !serverSaysReadOnly(ctx, w.Conn())}
		if interactive {
			return s.prompt(ctx, write)
		}
		return s.runAll(ctx, statements)
	}
	return cmd
}

// query is the text to run: the argument, or standard input.
func (p *program) query(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	if isTerminal(p.in) {
		return "", errors.New("give a query, or pipe one in")
	}
	const most = 16 << 20 // more is not a query but a mistake
	text, err := io.ReadAll(io.LimitReader(p.in, most))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return string(bytes.ToValidUTF8(text, []byte("\uFFFD"))), nil
}

// openWarehouse opens the warehouse alone, for a verb that only reads it, or that runs nothing. Its logs are only shown
// where something is wrong.
func (p *program) openWarehouse(ctx context.Context, cfg *config.Config, readOnly bool) (*app.Warehouse, error) {
	d := p.download()
	defer d.close()
	return app.OpenWarehouse(ctx, cfg.ClickHouse, app.WarehouseOptions{
		Log: p.logger(cfg.Log, slog.LevelWarn), Progress: d.progress, ReadOnly: readOnly,
	})
}

// serverSaysReadOnly reports whether the user may only read anyway. Such a user may not even set what we would set.
func serverSaysReadOnly(ctx context.Context, conn driver.Conn) bool {
	var mode uint64
	err := conn.QueryRow(ctx, "SELECT toUInt64(getSetting('readonly'))").Scan(&mode)
	return err == nil && mode > 0
}

// session runs statements one after the other on one warehouse.
type session struct {
	*program
	conn     driver.Conn
	format   string
	readonly bool // ask the server to refuse what would change the warehouse
}

// runAll runs statements up to the first error.
func (s *session) runAll(ctx context.Context, statements []statement) error {
	for _, st := range statements {
		if err := s.run1(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// run1 runs one statement and prints its result.
func (s *session) run1(ctx context.Context, st statement) error {
	if s.readonly {
		// 2 allows settings to be changed and everything else that does not change the warehouse.
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"readonly": 2}))
	}
	start := time.Now()
	if !hasResult(st.text) {
		if err := s.conn.Exec(ctx, st.text); err != nil {
			return queryError(err)
		}
		s.footer("Done", start)
		return nil
	}
	text, written := wrap(ctx, s.conn, st.text, s.format)
	rows, err := s.conn.Query(ctx, text)
	if err != nil {
		return queryError(err)
	}
	defer rows.Close()
	layout := tableLayout{vertical: st.vertical, wrap: st.wrap, width: terminalWidth(s.out)}
	out, err := newPrinter(s.format, s.out, rows.ColumnTypes(), written, layout)
	if err != nil {
		return err
	}
	n, err := printRows(out, rows)
	if err != nil {
		return queryError(err)
	}
	what := "row"
	if n != 1 {
		what = "rows"
	}
	s.footer(count(n)+" "+what, start)
	return nil
}

// footer tells a person that a statement is done, and how long it took.
func (s *session) footer(what string, start time.Time) {
	if isTerminal(s.out) && s.format == "table" {
		fmt.Fprintf(s.out, "%s in %.3f s\n", what, time.Since(start).Seconds())
	}
}

const readonlyCode = 164 // READONLY in ClickHouse's src/Common/ErrorCodes.cpp

// queryError words an error of the server as a person wants it: no stack, and what to do where we know.
func queryError(err error) error {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return err
	}
	text := fmt.Sprintf("ClickHouse error %d: %s", e.Code, strings.TrimSpace(e.Message))
	if e.Code == readonlyCode {
		text += "\nThe statement would change the warehouse. If that is what you want, add --write."
	}
	return errors.New(text)
}

// statement is one statement of a text, without what ends it.
type statement struct {
	text     string
	vertical bool // it ended with \G: each row down the page, as other clients of databases do it
	wrap     bool // long values go on in the next line instead of being cut
}

// splitStatements cuts a text at its semicolons, but for those in quotes and comments. Statements that are empty are
// left out, and the last one needs no semicolon.
func splitStatements(text string) []statement {
	done, rest := endedStatements(text)
	if rest != "" {
		done = append(done, statement{text: rest})
	}
	return done
}

// endedStatements cuts off the statements that are ended, and gives what comes after them, if there is more than
// blanks and comments.
func endedStatements(text string) (done []statement, rest string) {
	start, blank := 0, true
	flush := func(end, length int, vertical bool) {
		if !blank {
			done = append(done, statement{text: strings.TrimSpace(text[start:end]), vertical: vertical})
		}
		start, blank = end+length, true
	}
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case c == ';':
			flush(i, 1, false)
			i++
		case strings.HasPrefix(rest, `\G`):
			flush(i, 2, true)
			i += 2
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"), strings.HasPrefix(rest, "# "):
			i += through(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			i += through(rest, "*/")
		case c == '\'' || c == '"' || c == '`':
			blank = false
			i += quotedLength(rest)
		default:
			blank = blank && (c == ' ' || c == '\n' || c == '\t' || c == '\r')
			i++
		}
	}
	if !blank {
		rest = strings.TrimSpace(text[start:])
	}
	return done, rest
}

// through is the length up to and with the end mark, or all of it.
func through(text, end string) int {
	if i := strings.Index(text[1:], end); i >= 0 {
		return 1 + i + len(end)
	}
	return len(text)
}

// quotedLength is the length of the quoted text that begins here. A doubled quote is two quoted texts, which is as good.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}
