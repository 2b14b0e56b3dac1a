package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// terminal is the program in a terminal of 80 columns, as a person has it.
type terminal struct {
	*process
	pty  *os.File
	seen int // of what was shown
}

func (w *world) terminal(args ...string) *terminal {
	w.t.Helper()
	p := &process{t: w.t, cmd: w.command(args...), lines: make(chan string), out: newWatched()}
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm", "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"), "INPUTRC=/dev/null")
	f, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 40, Cols: 80})
	if err != nil {
		w.t.Fatal(err)
	}
	go func() { // ends with the process, when nothing has the terminal open any more
		defer close(p.lines)
		buffer := make([]byte, 4096)
		for {
			n, err := f.Read(buffer)
			_, _ = p.out.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	w.t.Cleanup(func() { _ = f.Close() })
	return &terminal{process: p, pty: f}
}

// types sends keys and waits until what follows shows the text. It returns what was shown in between.
func (p *terminal) types(keys, until string) string {
	p.t.Helper()
	if _, err := p.pty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
	return p.shows(until)
}

func (p *terminal) shows(until string) string {
	p.t.Helper()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	for {
		all := p.out.text.String()
		if n := strings.Index(all[p.seen:], until); n >= 0 {
			shown := all[p.seen : p.seen+n+len(until)]
			p.seen += n + len(until)
			return shown
		}
		p.out.grown.Wait()
	}
}

const (
	enter     = "\r"
	interrupt = "\x03"
	endOfFile = "\x04"
	tab       = "\t"
	up        = "\x1b[A"
)

func TestPrompt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	p := w.terminal("sql")
	p.shows("ordersync> ")

	// A statement goes on until its semicolon; a table that is too wide for the terminal is shown down the page.
	p.types("SELECT 20 +"+enter, "SELECT 20 +")
	contains(t, p.types("22 AS n;"+enter, "Done in"), "│ 42 │")
	shown := p.types("SELECT repeat('x', 200) AS long, 1 AS n;"+enter, "Done in")
	contains(t, shown, "long: xxx", "n:    1")
	contains(t, p.types(`SELECT repeat('y', 200) AS long, 1 AS n \G`+enter, "Done in"), strings.Repeat("y", 200))
	for _, line := range strings.Split(plain(shown), "\n") {
		if strings.HasPrefix(line, "│") && len([]rune(strings.TrimRight(line, "\r"))) > 80 {
			t.Errorf("a line of the table is wider than the terminal: %q", line)
		}
	}

	// Mistakes are shown and are not the end; what is not SQL needs no semicolon.
	p.types("SELECT nothing_of_that_name;"+enter, "ClickHouse error 47")
	p.types("DROP TABLE orders;"+enter, "--write")
	contains(t, p.types(`\d`+enter, "╰"), "subscriptions", "spend")
	contains(t, p.types(`\d spend`+enter, "╰"), "refunded", "(ProductCode)")
	contains(t, p.types("help"+enter, "Ctrl-R"), `\q`)
	p.types(`\nonsense`+enter, "no command")

	// Tab completes, Up brings back.
	contains(t, p.types("SELECT count() AS c FROM unpaid_ord"+tab, "unpaid_orders"))
	contains(t, p.types(";"+enter, "Done in"), "│ 0 │")
	contains(t, p.types(up+up+up+up+enter, "╰"), "refunded")

	// What the warehouse holds does not steer the terminal.
	contains(t, p.types(`SELECT 'a\x1b[2J\u202eb' AS c;`+enter, "Done in"), `a\u001b[2J\u202eb │`)

	// SET and USE last.
	p.types("SET max_threads = 3;"+enter, "Done in")
	p.types("USE system;"+enter, "Done in")
	contains(t, p.types("SELECT currentDatabase() AS d, getSetting('max_threads') AS n;"+enter, "Done in"), "system │ 3")
	p.types("USE "+w.database+";"+enter, "Done in")

	// Ctrl-C clears what is typed, or stops what runs, there and at the server; the program goes on.
	p.types("SELECT 'never", "never")
	p.types(interrupt, "ordersync> ")
	conn := sinktest.Conn(t, w.database)
	running := func() (n uint64) {
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE current_database = currentDatabase()"+
			" AND query LIKE '%sleepEachRow%' AND query NOT LIKE '%system.processes%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// What is typed while the line is being cleared may be lost, and would be typed again.
	const sleeps = "SELECT max(sleepEachRow(1)) FROM numbers(600) SETTINGS max_block_size = 1, max_threads = 1, function_sleep_max_microseconds_per_block = 0;"
	for try := 0; running() == 0; try++ {
		if try == 3 {
			t.Fatal("the query does not begin")
		}
		p.types(sleeps+enter, "\n")
		for began := time.Now(); running() == 0 && time.Since(began) < 10*time.Second; { // until it has begun
		}
	}
	p.types(interrupt, "stopped")
	for began := time.Now(); running() > 0; { // until the server has noticed
		if time.Since(began) > time.Minute {
			t.Fatal("the query goes on at the server")
		}
	}
	contains(t, p.types("SELECT 7 * 6 AS n;"+enter, "Done in"), "│ 42 │")
	p.shows("ordersync> ")
	p.types(endOfFile, "\n")
	p.end(0)

	// The next one remembers, and a statement of two lines is one of its memories.
	p = w.terminal("sql", "--write")
	p.shows("ordersync (write)> ")
	p.types("CREATE VIEW mine AS SELECT 1 AS one;"+enter, "Done in")
	contains(t, p.types(up+up+enter, "Done in"), "│ 42 │")
	p.types(`\q`+enter, "\n")
	p.end(0)
	history, err := os.ReadFile(filepath.Join(w.dir, "cache", "ordersync", "sql_history"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(history), `SELECT 20 +\n22 AS n;`)
	if strings.Contains(string(history), "never") {
		t.Error("what was cleared is remembered")
	}
}

// plain is a text without the codes that steer a terminal.
func plain(s string) string {
	return regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`).ReplaceAllString(s, "")
}
