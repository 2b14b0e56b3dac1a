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

// screen is what a terminal shows of what is written to it: lines of text, a carriage return, a new line, up and clear.
func screen(written string) []string {
	lines, row, column := []string{""}, 0, 0
	for len(written) > 0 {
		if m := control.FindString(written); m != "" && strings.HasPrefix(written, m) {
			written = written[len(m):]
			switch m[len(m)-1] {
			case 'A':
				row = max(0, row-1) // bars here have one line
			case 'J':
				lines = lines[:row+1]
				fallthrough
			case 'K':
				lines[row] = string([]rune(lines[row])[:min(column, len([]rune(lines[row])))])
			}
			continue
		}
		r := []rune(written)[0]
		written = written[len(string(r)):]
		switch r {
		case '\r':
			column = 0
		case '\n':
			row, column = row+1, 0
			if row == len(lines) {
				lines = append(lines, "")
			}
		default:
			line := append([]rune(lines[row]), []rune(strings.Repeat(" ", max(0, column-len([]rune(lines[row])))))...)
			if column < len(line) {
				line[column] = r
			} else {
				line = append(line, r)
			}
			lines[row] = string(line)
			column++
		}
	}
	return lines
}

// Ctrl-C leaves no broken line: the bar, the word of what happens now, and what came of it each begin on the left.
func TestInterruptedBar(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 200, Latency: simulator.Latency{Fixed: 20 * time.Millisecond}})
	w.configure("list: 1000, detail: 1000", "list: 50, detail: 20")
	cmd := w.command("backfill", "--from", "-24h")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var shown strings.Builder
	pressed := false
	for b := make([]byte, 1024); ; {
		n, err := terminal.Read(b)
		shown.Write(b[:n])
		if err != nil {
			break // the program has ended
		}
		if !pressed && strings.Contains(shown.String(), "orders/s") {
			pressed = true
			if _, err := terminal.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	lines := screen(shown.String())
	for _, line := range lines {
		text := strings.TrimSpace(line)
		if text == "" || text == "^C" {
			continue
		}
		known := false
		for _, begin := range []string{"backfill ", "stopping: what is in hand is being committed; press Ctrl-C again to quit at once", "ordersync: ", "╭", "│", "├", "╰", "20", "open: "} {
			known = known || strings.HasPrefix(line, begin)
		}
		if !known || strings.Contains(line, "^C") || strings.Count(line, "backfill ") > 1 {
			t.Errorf("a broken line: %q", line)
		}
	}
	contains(t, strings.Join(lines, "\n"), "stopping: what is in hand", "what was fetched is committed")
}

// The end that a backfill foretells is nearly right from the tenth second on, though the vendor lets through less than is asked
// for, and whoever looks sees the same: its own progress, and the status, which has it from the history of runs.
func TestBackfillForetellsItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 500, Quota: simulator.Quota{Detail: 15}})
	w.configure("list: 1000, detail: 1000", "list: 1000, detail: 40")
	p := w.start("backfill", "--from", "-24h")
	type told struct {
		at   time.Time
		left float64
	}
	var all []told
	for range 2 {
		_, text, _ := strings.Cut(p.wait("backfill "), "ETA ")
		left, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("no end is told: %v", err)
		}
		all = append(all, told{time.Now(), left.Seconds()})
	}
	r := decode[struct {
		Running []struct {
			Share float64  `json:"share"`
			ETA   *float64 `json:"eta_seconds"`
		}
		Accounts []struct {
			Diagnosis struct{ State string }
			Coverage  []struct {
				Cells []struct{ State string }
			}
		}
	}](t, w.runWith("", "status", "--json").out)
	if len(r.Running) != 1 || r.Running[0].Share == 0 || r.Running[0].ETA == nil {
		t.Fatalf("the status says nothing of it: %+v", r.Running)
	}
	all = append(all, told{time.Now(), *r.Running[0].ETA})
	if s := r.Accounts[0].Diagnosis.State; s != "filling" {
		t.Errorf("while it runs the account is %s", s)
	}
	filling := 0
	for _, d := range r.Accounts[0].Coverage {
		for _, c := range d.Cells {
			if c.State == "filling" {
				filling++
			}
		}
	}
	if filling == 0 {
		t.Error("no hour is shown as being filled")
	}
	p.end(0)
	for i, x := range all {
		if truth := time.Since(x.at).Seconds(); x.left > 1.5*truth+4 || x.left < truth/1.5-4 {
			t.Errorf("%d: %.0f s were told, and it took %.0f", i, x.left, truth)
		}
	}
}
