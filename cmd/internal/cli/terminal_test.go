package cli_test

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"

	"github.com/ordersync/ordersync/sync/simulator"
)

// onTerminal runs the program with a terminal of some columns as standard error, and returns what that showed and what
// went to standard output.
func (w *world) onTerminal(columns uint16, args ...string) (screen, out string) {
	w.t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil {
		w.t.Fatal(err)
	}
	defer terminal.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command(args...)
	var stdout, shown bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, tty
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	_ = tty.Close()
	read := make(chan struct{})
	go func() { // ends when the program has ended
		defer close(read)
		_, _ = io.Copy(&shown, terminal) // reading a terminal that nobody has open any more is an error
	}()
	err = cmd.Wait()
	<-read
	if err != nil {
		w.t.Errorf("%v: %v\n%s", args, err, shown.String())
	}
	return shown.String(), stdout.String()
}

// control are the sequences that move the cursor.
var control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// A terminal shows a bar that fits, whatever its width.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 120, Latency: simulator.Latency{Fixed: 30 * time.Millisecond}})
	w.configure("list: 1000, detail: 1000", "list: 50, detail: 50")
	for _, c := range []struct {
		columns uint16
		wanted  []string
	}{
		{80, []string{"backfill", "%", "[", "orders", "/s"}},
		{40, []string{"backfill", "%", "calls"}}, // nothing is new any more
	} {
		screen, out := w.onTerminal(c.columns, "backfill", "--from", "-24h", "--force")
		contains(t, out, "main", "120")
		lines := regexp.MustCompile(`[\r\n]+`).Split(control.ReplaceAllString(screen, "\n"), -1)
		drawn := ""
		for _, line := range lines {
			if n := runewidth.StringWidth(line); n > int(c.columns) {
				t.Errorf("%d columns in a terminal of %d: %q", n, c.columns, line)
			}
			if strings.HasPrefix(line, "backfill") {
				drawn = line
			}
		}
		contains(t, drawn, c.wanted...)
	}
	// With --json a program reads, even if somebody looks on.
	screen, out := w.onTerminal(80, "plan", "--from", "-24h", "--json")
	if strings.Contains(screen, "[") || !strings.HasPrefix(out, "{") {
		t.Errorf("%q, %q", screen, out)
	}
}
