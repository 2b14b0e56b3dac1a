package cli_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/app"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, c := range []struct {
		args string
		want string
	}{
		{"bakfill", `unknown verb "bakfill"; did you mean backfill?`},
		{"nothing-like-it", `unknown verb "nothing-like-it"`},
		{"backfill --form 2024-01-01", "unknown flag --form; did you mean --force or --from?"},
		{"backfill", "--from is required"},
		{"plan", "--from is required"},
		{"plan --from 2024-01-01 --too now", "did you mean --to?"},
		{"backfill --from yesteryear", `--from: "yesteryear" is not a time (2024-01-31`},
		{"backfill --from last-month --to last-month", "is not before --to"},
		{"status --from 2024-13", `--from: "2024-13" is not a time`},
		{"backfill --from 2024-02-01 --to 2024-01-01", "is not before"},
		{"backfill --from 2024-01-01 extra", "Run 'ordersync backfill --help' for usage."},
		{"check --json --policy", "Run 'ordersync check --help' for usage."},
		{"sql ;", "there is no statement to run"},
		{"simulate --days 0", "--days 0 is not from 1 to 3650"},
		{"demo --orders -1", "--orders -1 is not"},
		{"demo --dir .", "is not empty"},
		{"verify --from 2024-02-01 --to 2024-01-01", "is not before"},
		{"verify --to tomorrow", `--to: "tomorrow" is not a time`},
		{"replay --from 2999-01-01", "is not before now"},
		// A flag that a script gave without a value is not the same as no flag, which may mean all.
		{"backfill --from 2024-01-01 --account=", "--account is empty"},
		{"verify --account=", "--account is empty"},
		{"replay --account=", "--account is empty"},
		{"rejects accept 3f0a --note x --account=", "--account is empty"},
		{"verify --from=", "--from is empty"},
		{"status --from=", "--from is empty"},
		{"track 1 --owner=", "--owner is empty"},
		{"track --file=", "--file is empty"},
		{"cancel --unpaid-older-than=", "--unpaid-older-than is empty"},
		{"sql --output= x", "--output is empty"},
		{"status --config=", "--config is empty"},
		{"rejects remove", `unknown command "remove" for "ordersync rejects"`},
		{"rejects accept", "accepts 1 arg(s), received 0"},
		{"rejects accept 3f0a", "--note is required: say why"},
		// Without a configuration every verb says how to get one.
		{"run", "ordersync init"},
		{"backfill --from 2024-01-01", "ordersync demo"},
		{"status", "ordersync init"},
		{"verify", "ordersync init"},
		{"replay", "ordersync init"},
		{"rejects", "ordersync init"},
		{"sql x", "ordersync init"},
		{"status -c missing.yaml", "missing.yaml: the configuration file does not exist"},
	} {
		w.write("file", "") // so that the folder is not empty
		r := w.run(2, strings.Fields(c.args)...)
		contains(t, r.err, c.want)
		if r.out != "" {
			t.Errorf("%s: standard output has %q", c.args, r.out)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, args := range [][]string{nil, {"--help"}, {"help"}} {
		r := w.run(0, args...)
		contains(t, r.out, "ordersync demo", "ordersync init", "backfill", "simulate", "products", "track", "cancel", "plan", "monitoring")
		if strings.Contains(r.out, "--version") {
			t.Errorf("%v speaks of a flag that stands for itself", args)
		}
	}
	line := w.run(0, "--version").out
	contains(t, line, "ordersync devel go1.", runtime.GOOS+"/"+runtime.GOARCH, "embedded ClickHouse chDB 26.")
	if said := w.run(0, "version").out; said != line || strings.Count(line, "\n") != 1 {
		t.Errorf("version says %q and --version %q", said, line)
	}
	if b := decode[app.BuildInfo](t, w.run(0, "version", "--json").out); b != app.Build() {
		t.Errorf("%+v", b)
	}
	contains(t, w.run(0, "backfill", "--help").out, "--force", "-c, --config")
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.write("ordersync.yaml", "accounts:\n  - name: main\n    source: bss\n    quotas: {}\nhttp: {listen: nowhere}\n")
	for _, args := range [][]string{{"run"}, {"status"}, {"backfill", "--from", "-1d"}, {"sql", "SELECT 1"}, {"verify"}, {"rejects"}, {"replay"}} {
		r := w.run(2, args...)
		contains(t, r.err, "ordersync.yaml:4: accounts[0].quotas", "ordersync.yaml:5: http.listen")
	}
	contains(t, w.run(2, "check").out, "FAILED configuration", "accounts[0].quotas", "http.listen")

	w.write("ordersync.yaml", "accounts: [{name: d, source: other}]\n")
	contains(t, w.run(2, "run").err, "accounts[0].source", "domain")
	contains(t, w.run(2, "check").out, "accounts[0].source")

	w.write("ordersync.yaml", "{}\n")
	contains(t, w.run(2, "run").err, "no account is configured")
	contains(t, w.run(2, "backfill", "--from", "-1d").err, "no account is configured")

	w.configure()
	for _, args := range [][]string{{"backfill", "--from", "-1d"}, {"verify"}, {"replay"}} {
		contains(t, w.run(2, append(args, "--account", "other")...).err, `there is no account "other" (there are: main)`)
	}
}
