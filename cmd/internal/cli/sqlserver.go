package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/format"
)

// sqlServer is the HTTP interface of the warehouse's server, which formats what it answers.
type sqlServer struct {
	app.Login
	client   *http.Client
	version  string
	readonly int        // of the user: 0 may write, 1 may not even choose settings, 2 may
	options  url.Values // of every query: its settings, and the database or the session
	tagged   bool       // the server marks an error in the middle of a result, so results can be streamed
}

// sqlSettings are wanted for every query, where the server knows them and lets the user choose.
var sqlSettings = map[string]any{
	// Most readers of JSON make a float of every number, which amounts of money must never be (I5).
	"output_format_json_quote_decimals": 1, "output_format_json_quote_64bit_integers": 0,
	// Not every reader of Arrow knows its compression.
	"output_format_arrow_compression_method": "none",
	// An error in the middle of a result is marked, see relayResult, and not written as if it were data.
	"http_write_exception_in_output_format": 0,
	// A reader's query ends with its connection.
	"cancel_http_readonly_queries_on_client_close": 1,
	// Tables of the terminal.
	"output_format_pretty_color": 0, "output_format_pretty_row_numbers": 0, "output_format_pretty_max_rows": 10_000,
	"output_format_pretty_single_large_number_tip_threshold": 0,
	// One that does not fit is shown down the page, whole.
	"output_format_pretty_fallback_to_vertical_max_rows_per_chunk": 10_000, "output_format_pretty_fallback_to_vertical_min_columns": 1,
	"output_format_pretty_fallback_to_vertical_min_table_width": 1_000_000,
}

// notLetIn are the server's codes for a user that it does not let in; 0 is no answer of a server.
var notLetIn = []int{0, 193, 194, 516}

// dialSQL logs in. width is the terminal's, 0 where nobody looks.
func dialSQL(ctx context.Context, login app.Login, width int) (*sqlServer, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second} // and TCP's keep-alive finds out about a server that is gone
	dial := dialer.DialContext
	if login.Dial != nil {
		dial = login.Dial
	}
	s := &sqlServer{Login: login, options: url.Values{}, client: &http.Client{Transport: &http.Transport{
		DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true,
	}}}
	wanted := maps.Clone(sqlSettings)
	maps.Copy(wanted, login.Settings)
	if width > 0 {
		wanted["output_format_pretty_fallback_to_vertical_min_table_width"] = width
	}
	var answer bytes.Buffer
	err := s.ask(ctx, "SELECT version(), toUInt8(getSetting('readonly')), (SELECT groupArray(name) FROM system.settings) FORMAT JSONCompactEachRow", nil, &answer)
	if refused := (*serverError)(nil); err != nil && ctx.Err() == nil && (!errors.As(err, &refused) || slices.Contains(notLetIn, refused.code)) {
		return nil, &app.EnvironmentError{Err: fmt.Errorf("%s: %w (clickhouse.http says where the HTTP interface is)", login.HTTP, err)}
	}
	var known []string
	if err == nil {
		err = json.Unmarshal(answer.Bytes(), &[]any{&s.version, &s.readonly, &known})
	}
	if err != nil {
		return nil, err
	}
	s.options.Set("database", login.Database)
	for _, name := range known {
		if value, ok := wanted[name]; ok && s.readonly != 1 {
			s.options.Set(name, fmt.Sprint(value))
		}
	}
	return s, nil
}

// withFormat adds the format of what has none to the values of a query.
func withFormat(values url.Values, format string) url.Values {
	values = maps.Clone(values)
	values.Set("default_format", format)
	return values
}

// session makes what follows one session, in which SET and USE last.
func (s *sqlServer) session(ctx context.Context) error {
	s.options.Del("database")
	s.options.Set("session_id", rand.Text())
	s.options.Set("session_timeout", "3600")
	return s.ask(ctx, "USE "+format.Identifier(s.Database), nil, io.Discard)
}

// ask sends one statement and passes on what it answers, as it comes. An error of the server is a *serverError, also one
// that comes after a part of the result.
func (s *sqlServer) ask(ctx context.Context, statement string, values url.Values, to io.Writer) error {
	id := rand.Text()
	query := url.Values{"query_id": {id}}
	maps.Copy(query, s.options)
	maps.Copy(query, values)
	if !s.tagged {
		query.Set("wait_end_of_query", "1") // the server keeps the result until it is whole
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.HTTP+"/?"+query.Encode(), strings.NewReader(statement))
	if err != nil {
		return err
	}
	req.Header.Set("X-ClickHouse-User", s.Username)
	req.Header.Set("X-ClickHouse-Key", s.Password.Reveal())
	req.Header.Set("User-Agent", "ordersync")
	resp, err := s.client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		err = s.answer(resp, to)
	}
	if ctx.Err() != nil && s.readonly == 0 && query.Get("readonly") == "" {
		s.kill(ctx, id)
	}
	wrapped := (*url.Error)(nil)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &wrapped):
		return wrapped.Err // without the URL, which holds the parameters
	}
	return err
}

// answerer is what results go to that has to know of each what the server says of it, before it comes.
type answerer interface {
	io.Writer
	begin(http.Header) error
}

func (s *sqlServer) answer(resp *http.Response, to io.Writer) error {
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-ClickHouse-Exception-Code") != "" {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			return err
		}
		return newServerError(string(text))
	}
	if a, ok := to.(answerer); ok {
		if err := a.begin(resp.Header); err != nil {
			return err
		}
	}
	tag := resp.Header.Get("X-ClickHouse-Exception-Tag")
	s.tagged = tag != ""
	return relayResult(to, resp.Body, tag)
}

// kill ends a statement that may write, which the end of its connection does not.
func (s *sqlServer) kill(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	// Whoever gave up is not kept waiting for more, whatever comes of it.
	other := *s
	other.options = url.Values{}
	_ = other.ask(ctx, "KILL QUERY WHERE query_id = '"+id+"' ASYNC", nil, io.Discard)
}

// errorBytes bounds what the server writes about an error into a result: 16 KiB and its frame.
const errorBytes = 17 << 10

// relayResult passes a result on. Where an error came after its beginning, the result ends with a mark that holds the
// response's own tag, so that no data can be taken for it, and then the error.
func relayResult(to io.Writer, from io.Reader, tag string) error {
	mark := []byte("__exception__\r\n" + tag + "\r\n")
	buffer := make([]byte, 0, 4*errorBytes)
	for {
		n, err := from.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		keep := errorBytes
		if err != nil {
			keep = 0
		}
		end := max(0, len(buffer)-keep)
		if i := bytes.LastIndex(buffer, mark); err != nil && tag != "" && i >= 0 {
			text, _, _ := strings.Cut(string(buffer[i+len(mark):]), "\r\n")
			end, err = i, newServerError(text)
			end -= len(buffer[:end]) - len(bytes.TrimSuffix(bytes.TrimSuffix(buffer[:end], []byte("\n")), []byte("\r")))
		}
		for end > 0 && end < len(buffer) && !utf8.RuneStart(buffer[end]) {
			end-- // a terminal gets whole characters
		}
		if _, err := to.Write(buffer[:end]); err != nil {
			return err
		}
		buffer = buffer[:copy(buffer[:cap(buffer)], buffer[end:])]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// serverError is what the server said about a statement.
type serverError struct {
	code int
	text string
}

func (e *serverError) Error() string {
	if e.code == 0 {
		return e.text
	}
	return fmt.Sprintf("ClickHouse error %d: %s", e.code, e.text)
}

var serverErrorText = regexp.MustCompile(`(?s)^Code: (\d+)\. DB::Exception: (.*?)(?: \(version [^()]*(?:\([^()]*\))?\))?\s*$`)

func newServerError(text string) *serverError {
	m := serverErrorText.FindStringSubmatch(text)
	if m == nil {
		return &serverError{text: strings.TrimSpace(text)}
	}
	code, _ := strconv.Atoi(m[1]) // digits
	return &serverError{code: code, text: m[2]}
}

// sqlRemedies are what a person can do about errors of the server, by its codes in src/Common/ErrorCodes.cpp.
var sqlRemedies = map[int]string{
	164: mayOnlyRead,
	497: mayOnlyRead,
	358: "INTO OUTFILE is for the machine of the server; -o FILE writes a file here.",
	516: "clickhouse.username and clickhouse.password, or those of clickhouse.reader, are not a user of the server.",
}

const mayOnlyRead = "`ordersync sql` only reads the warehouse. A statement that is to change it needs --write."

// explain adds to an error what to do about it, where we know. write says that the statement may have changed something.
func explain(err error, write bool) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op != "dial" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		text := "ClickHouse has broken off its answer, so what there is of the result is not all of it: %w\n" +
			"Run it again; where it breaks off each time, the server's own log says why, such as that it takes too much memory"
		if write {
			text = "ClickHouse has broken off its answer: %w\n" +
				"What the statement has changed until then, or has not, nobody knows: look before you run it again"
		}
		return &app.EnvironmentError{Err: fmt.Errorf(text, err)}
	}
	var e *serverError
	if !errors.As(err, &e) || sqlRemedies[e.code] == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, sqlRemedies[e.code])
}
