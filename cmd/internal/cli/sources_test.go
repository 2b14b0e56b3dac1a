package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// In a container there may be no file at all: variables say everything.
func TestConfigurationByEnvironmentAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.addr, w.database = warehousetest.Database(t)
	w.write("key", secret+"\n")
	run := func(code int, environ []string, args ...string) string {
		t.Helper()
		cmd := w.command(args...)
		cmd.Env = append(cmd.Env, environ...)
		out, _ := cmd.CombinedOutput() // the exit code tells
		if got := cmd.ProcessState.ExitCode(); got != code || strings.Contains(string(out), secret) {
			t.Errorf("%v: exit code %d instead of %d, or the secret:\n%s", args, got, code, out)
		}
		return string(out)
	}
	environ := []string{
		"ORDERSYNC_CONFIG=/etc/ordersync/none.yaml", embedded.LibraryVariable + "=libchdb.so", // neither is a setting
		"ORDERSYNC_ACCOUNTS_0_NAME=main", "ORDERSYNC_ACCOUNTS_0_SOURCE=bss", "ORDERSYNC_ACCOUNTS_0_ENDPOINT=" + w.url,
		"ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_ID=testid", "ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_SECRET_FILE=key",
		"ORDERSYNC_CLICKHOUSE_ADDR=" + w.addr, "ORDERSYNC_CLICKHOUSE_DATABASE=" + w.database,
	}
	contains(t, run(0, environ, "check"), "ok     configuration", "the environment (there is no /etc/ordersync/none.yaml): 1 account",
		"set by the environment: ORDERSYNC_ACCOUNTS_0_CREDENTIALS_ACCESS_KEY_ID, ")
	contains(t, run(0, environ, "backfill", "--from", "24h", "--to", "now"), "main")
	contains(t, run(0, environ, "sql", "SELECT count() FROM orders"), "20")
	contains(t, run(2, append(environ, "ORDERSYNC_HTPP_LISTEN=:1"), "status"), "$ORDERSYNC_HTPP_LISTEN: sets nothing (did you mean ORDERSYNC_HTTP_LISTEN?)")
	contains(t, run(2, environ[:2], "status"), "/etc/ordersync/none.yaml: the configuration file does not exist")
	contains(t, run(2, []string{"ORDERSYNC_LOG_LEVEL=warn"}, "run"), "the environment: accounts: no account is configured", "ORDERSYNC_ACCOUNTS_0_NAME")
}

// -c - reads the configuration from standard input, which then has nothing else.
func TestConfigurationFromStandardInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.configure()
	file := filepath.Join(w.dir, "ordersync.yaml")
	text := readFile(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	contains(t, w.runWith(text, "check", "-c", "-").out, "ok     configuration", "standard input: 1 account")
	if r := w.runWith(text, "sql", "-c", "-", "SELECT 41 + 1"); r.code != 0 || !strings.Contains(r.out, "42") {
		t.Errorf("%+v", r)
	}
	contains(t, w.runWith("accounts: [{name: main}]\n", "run", "-c-").err, "standard input:1: accounts[0].source")
	contains(t, w.runWith("", "run", "-c", "-").err, "standard input: accounts: no account is configured")
	// A daemon goes on with what it has.
	cmd := w.command("run", "-c", "-")
	cmd.Stdin = strings.NewReader(text)
	p := w.startCommand(cmd)
	p.wait("http is served")
	p.signal(syscall.SIGHUP)
	contains(t, p.wait("the configuration is refused"), "standard input is the configuration (-c -) and is read once")
	p.signal(syscall.SIGTERM)
	p.end(0)
	for _, args := range [][]string{{"sql"}, {"sql", "-f", "-"}, {"track", "--account", "main"}, {"operators", "import", "-"}} {
		if r := w.runWith(text, append(args, "-c", "-")...); r.code == 0 || !strings.Contains(r.err, "standard input is the configuration") {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// Each variable that a README or the example names is one.
func TestReadmeVariables(t *testing.T) {
	t.Parallel()
	var environ []string
	text := readFile(t, "../../README.md") + readFile(t, "../../../config.example.yaml")
	for _, m := range regexp.MustCompile(`ORDERSYNC_(ACCOUNTS|CLICKHOUSE|SCHEDULE|REPORTING|HTTP|LOG)_\w+`).FindAllString(text, -1) {
		environ = append(environ, m+"=")
	}
	if len(environ) < 8 {
		t.Fatal(environ)
	}
	if _, err := config.Load(config.Sources{Environ: environ}); err != nil && strings.Contains(err.Error(), "sets nothing") {
		t.Error(err)
	}
}
