package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellsVariable decides about the tests with real shells: "require" makes them fail where one is missing; else they are skipped.
const shellsVariable = "ORDERSYNC_TEST_SHELLS"

const bashCompletion = "/usr/share/bash-completion/bash_completion"

// shell returns a shell in which the program is called ordersync.
func (w *world) shell(name string, args ...string) *exec.Cmd {
	w.t.Helper()
	path, err := exec.LookPath(name)
	if err == nil && name == "bash" {
		_, err = os.Stat(bashCompletion)
	}
	if err != nil {
		if os.Getenv(shellsVariable) == "require" {
			w.t.Fatal(err)
		}
		w.t.Skip(err)
	}
	program := w.command()
	if err := os.Mkdir(filepath.Join(w.dir, "bin"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(program.Path, filepath.Join(w.dir, "bin", "ordersync")); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), path, args...)
	cmd.Dir = w.dir
	cmd.Env = append(program.Env, "PATH="+filepath.Join(w.dir, "bin")+":"+os.Getenv("PATH"), "HOME="+w.dir, "ZDOTDIR="+w.dir)
	return cmd
}

// completed are command lines, and what is offered at the end of each.
var completed = []struct {
	line string
	want []string
}{
	{"ordersync back", []string{"backfill"}},
	{"ordersync backfill --fo", []string{"--force"}},
	{"ordersync backfill --account ", []string{"main", "second-shop"}},
	{"ordersync verify --account sec", []string{"second-shop"}},
	{"ordersync backfill -c other.yaml --account ", []string{"of-the-other-file"}},
	{"ordersync sql --format Pa", []string{"Parquet"}},
	{"ordersync status --from last-", []string{"last-month", "last-week"}},
	{"ordersync monitoring ", []string{"business", "dashboard", "rules"}},
	{"ordersync sql --format x", []string{"xlsx"}},
	{"ordersync init --site ", []string{"china", "international"}},
}

// The functions of the scripts run in the shells themselves, which here do not ask for them by a key.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	for shell, run := range map[string]struct {
		flags []string
		begin string // of the script
		line  string // of the script for each line to complete
	}{
		"bash": {[]string{"--norc"}, ". " + bashCompletion + "\n. <(ordersync completion bash)\n",
			`COMP_LINE=%[1]q; read -ra COMP_WORDS <<<"$COMP_LINE"; [[ $COMP_LINE == *" " ]] && COMP_WORDS+=(""); ` +
				`COMP_CWORD=$((${#COMP_WORDS[@]}-1)) COMP_POINT=${#COMP_LINE}; COMPREPLY=(); __start_ordersync ordersync 2>/dev/null; printf '%%s\n' "${COMPREPLY[@]}"`},
		"zsh": {[]string{"-f"}, "compdef() { }\n_describe() { print -l -- ${completions} }\n_arguments() { }\n. <(ordersync completion zsh)\n",
			`words=(${(s: :)${:-%[1]q}}); [[ %[1]q == *" " ]] && words+=(""); CURRENT=${#words}; _ordersync`},
		"fish": {[]string{"--no-config"}, "ordersync completion fish | source\n", `complete -C %[1]q`},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 0)
			w.withoutSecret = true // and needs not be set
			w.write("ordersync.yaml", `accounts:
  - {name: main, source: bss, credentials: {access_key_id: "${TEST_SECRET}", access_key_secret: "${TEST_SECRET}"}}
  - {name: second-shop, source: domain}
`)
			w.write("other.yaml", "accounts: [{name: of-the-other-file, source: bss}]\n")
			var script strings.Builder
			script.WriteString(run.begin)
			for _, c := range completed {
				fmt.Fprintf(&script, "echo; echo '== %s'\n"+run.line+"\n", c.line)
			}
			out, err := w.shell(shell, append(run.flags, "-c", script.String())...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, c := range completed {
				_, offered, _ := strings.Cut(string(out), "== "+c.line+"\n")
				offered, _, _ = strings.Cut(offered, "\n==")
				for _, want := range c.want {
					if !strings.Contains("\n"+offered, "\n"+want) {
						t.Errorf("%s: %q is not offered:\n%s", c.line, want, offered)
					}
				}
				if strings.Contains(offered, "ordersync.yaml") {
					t.Errorf("%s: files are offered:\n%s", c.line, offered)
				}
			}
		})
	}
}

// Files are offered where one is wanted. Where there is nothing to read accounts from nothing is offered, and nothing said or asked.
func TestCompletionOfFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, c := range []struct{ args, want string }{
		{"sql -f |", ":0\n"},
		{"operators import |", ":0\n"},
		{"run -c |", "yaml\nyml\n:8\n"},
		{"demo --dir |", ":16\n"},
		{"sql |", ":4\n"},
		{"run |", ":4\n"},
		{"simulate --orders |", ":4\n"},
		{"backfill --account |", ":36\n"},
		{"backfill -c - --account |", ":36\n"},
	} {
		args := strings.Fields(strings.TrimSuffix(c.args, "|"))
		if r := w.run(0, append(append([]string{"__complete"}, args...), "")...); r.out != c.want {
			t.Errorf("%s: %q", c.args, r.out)
		}
	}
}
