package cli_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// Colours are for people at a terminal who have not asked for none; what they say is there without them.
func TestStatusOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.configure()
	w.run(0, "backfill", "--from", "-6h")
	w.sql("ALTER TABLE sync_window_rows DELETE WHERE window_start = toStartOfHour(now()) - INTERVAL 3 HOUR")
	shown := func(environment ...string) string {
		cmd := w.command("status", "--days", "2")
		cmd.Env = append(append(cmd.Env, "TERM=xterm-256color", "FORCE_COLOR=", "NO_COLOR="), environment...)
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		if err != nil {
			t.Fatal(err)
		}
		defer terminal.Close()
		var text strings.Builder
		_, _ = io.Copy(&text, terminal) // a terminal whose program has ended gives an error
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d for a ledger with a gap\n%s", code, text.String())
		}
		return text.String()
	}
	const red, green = "\x1b[97;41m!\x1b[0m", "\x1b[32m#\x1b[0m"
	contains(t, shown(), red, green, "1 gap, 1h0m in all")
	plain := shown("NO_COLOR=1")
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colours in spite of NO_COLOR: %q", plain)
	}
	contains(t, plain, "! missing", "not all is well")
	if hours := regexp.MustCompile(`(?m)^  [A-Z][a-z]{2} \d{4}-\d\d-\d\d  [#o !.]*![#o !.]*\r?$`); !hours.MatchString(plain) {
		t.Errorf("no gap in:\n%s", plain)
	}
}

// An account that was taken out of the configuration is neither behind nor failing, and its orders are not forgotten.
func TestStatusOfWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.configure("name: main", "name: old")
	w.run(0, "backfill", "--from", "-6h")
	w.sql("INSERT INTO sync_window_rows SELECT * REPLACE ('short' AS verdict, version + 1 AS version) FROM sync_window_rows FINAL ORDER BY window_start LIMIT 1")
	contains(t, w.run(1, "status").out, "old: incomplete since", "\n  1 window between", "not all is well")

	text, err := os.ReadFile(filepath.Join(w.dir, "ordersync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("ordersync.yaml", strings.Replace(string(text), "name: old", "name: main", 1))
	w.run(0, "backfill", "--from", "-6h")
	shown := w.run(0, "status").out
	contains(t, shown, "main: complete to", "old: not configured, complete to", "1 short", "up to date, and no daemon keeps it so")
	if strings.Contains(shown, "is short") {
		t.Errorf("a problem of what is not configured:\n%s", shown)
	}
	contains(t, w.run(0, "status", "--json").out, `"not_configured": true`)
	contains(t, w.run(0, "status", "--account", "old").out, "hour, UTC")
}

// Twelve accounts fit a screen of 40 lines, all of them with what is wrong, and the one that is asked for is told in full.
func TestStatusOfTwelveAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	accounts := ""
	for i := range 11 {
		accounts += fmt.Sprintf("name: refused-%02d\n    source: bss\n    endpoint: %s\n    credentials: {access_key_id: testid, access_key_secret: another}\n  - ", i, w.url)
	}
	w.configure("name: main", accounts+"name: main")
	w.run(3, "backfill", "--from", "-6h")
	w.run(3, "backfill", "--from", "-5h")
	for _, size := range []pty.Winsize{{Rows: 24, Cols: 80}, {Rows: 50, Cols: 200}, {}} {
		text := ""
		if size.Cols == 0 {
			text = w.run(1, "status").out
		} else {
			cmd := w.command("status")
			terminal, err := pty.StartWithSize(cmd, &size)
			if err != nil {
				t.Fatal(err)
			}
			var shown strings.Builder
			_, _ = io.Copy(&shown, terminal) // a terminal whose program has ended gives an error
			_ = cmd.Wait()
			terminal.Close()
			text = shown.String()
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) > 40 {
			t.Errorf("%v: %d lines:\n%s", size, len(lines), text)
		}
		for _, line := range lines {
			if n := runewidth.StringWidth(strings.TrimRight(control.ReplaceAllString(line, ""), "\r")); size.Cols > 0 && n > int(size.Cols) {
				t.Errorf("%d columns of %d: %q", n, size.Cols, line)
			}
		}
		contains(t, text, "SignatureDoesNotMatch", "refused-10", "ordersync status --account NAME")
	}
	one := w.run(1, "status", "--account", "refused-03").out
	contains(t, one, "refused-03: stopped since", "secret does not belong")
	if strings.Contains(one, "refused-04 ") {
		t.Errorf("others are shown too:\n%s", one)
	}
	contains(t, w.run(1, "status", "--account", "main").out, "hour, UTC")
}
