package cli_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode"
)

// toFull runs the program with a full disk as standard output.
func (w *world) toFull(args ...string) (code int, stderr string) {
	w.t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		w.t.Skip("this system has no /dev/full")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer full.Close()
	cmd := w.command(args...)
	var errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &errOut
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), errOut.String()
}

// Half a report is no success, whatever it reports.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.configure()
	w.run(0, "backfill", "--from", "-24h")
	for _, args := range [][]string{
		{"--help"}, {"--version"}, {"plan", "--help"}, {"backfill", "--from", "-24h", "--force"}, {"backfill", "--from", "-24h", "--json"},
		{"plan", "--from", "-24h"}, {"plan", "--from", "-24h", "--json"}, {"verify", "--from", "-24h"}, {"verify", "--from", "-24h", "--json"},
		{"status"}, {"status", "--json"}, {"sql", "SELECT 1"}, {"sql", "--json", "SELECT * FROM numbers(1000000)"}, {"sql", "--login"},
		{"rejects"}, {"rejects", "--json"}, {"replay"}, {"products"}, {"check"}, {"check", "--json"}, {"check", "--policy"}, {"grants"},
		{"monitoring", "dashboard"}, {"monitoring", "rules"}, {"simulate", "--orders", "10"}, {"cancel", "--unpaid-older-than", "9000h", "--dry-run"},
	} {
		code, stderr := w.toFull(args...)
		if code != 1 || strings.Count(stderr, "write standard output: no space left on device") != 1 {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}

	// It is said, too, where the verb fails for another reason and has said that in its report.
	behind := newWorld(t, 0)
	behind.configure()
	behind.run(0, "migrate")
	for _, args := range [][]string{{"status"}, {"status", "--json"}} {
		if r := behind.run(1, args...); r.err != "" {
			t.Errorf("%v: %s", args, r.err)
		}
		code, stderr := behind.toFull(args...)
		if code != 1 || strings.Count(stderr, "write standard output: no space left on device") != 1 {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

// A reader that has enough, as head, is no error that anybody needs to see.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	cmd := w.command("sql", "--format", "TSV", "SELECT * FROM numbers(1000000)")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = pipe, &stderr
	err = cmd.Run()
	_ = pipe.Close()
	if err == nil || stderr.Len() > 0 {
		t.Errorf("%v: %s", err, stderr.String())
	}
}

// What a vendor says does not steer the terminal of who reads it, wherever it is shown.
func TestVendorCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	vendor := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, `{"Code": "NoPermission\u001b[1m", "Message": "\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\r", "RequestId": "A\u001b[3m"}`)
	}))
	t.Cleanup(vendor.Close)
	w.url = vendor.URL
	w.configure()
	for _, args := range [][]string{
		{"check"}, {"check", "--json"}, {"backfill", "--from", "-2h"}, {"verify", "--from", "-2h"}, {"plan", "--from", "-2h"}, {"status"},
		{"status", "--json"}, {"rejects"}, {"sql", "SELECT error FROM sync_windows"}, {"products"},
	} {
		r := w.runWith("", args...)
		out := r.out
		if args[0] == "sql" {
			out = "" // what a program reads is as it is stored
		}
		if i := strings.IndexFunc(out+r.err, func(c rune) bool { return c != '\n' && c != '\t' && !unicode.IsGraphic(c) }); i >= 0 {
			t.Errorf("%v: %q", args, (out + r.err)[i:])
		}
	}
	contains(t, w.run(3, "check").out, "NoPermission", "[2J", "owned")
}

// A connection that anybody can listen to is a warning, not a failure.
func TestCheckWarnsOfPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	own := w.url
	w.configure()
	if out := w.run(0, "check").out; strings.Contains(out, "plain HTTP") {
		t.Errorf("%s is this machine: %s", own, out)
	}
	w.url = "http://orders.invalid"
	w.configureAgain()
	contains(t, w.runWith("", "check").out, "warn   connection of main", "endpoint is plain HTTP", "use https://")
}
