package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sync/simulator"
)

// The names of operators come from a file, as spreadsheets write it, and the mart shows them.
func TestOperatorsImport(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Seed: 4, Orders: 1})
	w.configure()
	file := filepath.Join(t.TempDir(), "names.csv")
	names := func(text string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	stored := func() string {
		t.Helper()
		return strings.TrimSpace(w.run(0, "sql", "--format", "tsv", "SELECT id, name FROM operators FINAL ORDER BY id").out)
	}
	if out := w.run(0, "operators", "import", names("\ufeffID,Name\r\n1, Anna Berg\r\n2,\"Li, Wei\"\r\n3,Nobody\r\n")).out; !strings.Contains(out, "3 operators") {
		t.Errorf("it says %q", out)
	}
	w.run(0, "operators", "import", names("3,\n4,\"a \"\"name\"\"\"\n"))
	if got, want := stored(), "id\tname\n1\tAnna Berg\n2\tLi, Wei\n3\t\n4\ta \"name\""; got != want {
		t.Errorf("stored is %q, want %q", got, want)
	}
	for text, want := range map[string]string{
		"":                    "it names nobody",
		"id,name\n":           "it names nobody",
		"1,Anna,Berg\n":       "line 1 has 3 columns",
		"5,E\n1\n":            "line 2 has 1 column",
		"5,E\n,Anna\n":        "line 2 has no id",
		"5,E\n\n5,F\n":        "line 3 names 5 again, after line 1",
		"5,\"E\n":             "line 1",
		"5,\xc4\xe3\n":        "line 1 is not UTF-8",
		"id;name\n5;Anna B\n": "line 1 has 1 column",
	} {
		if r := w.run(1, "operators", "import", names(text)); !strings.Contains(r.err, want) || !strings.Contains(r.err, file) {
			t.Errorf("%q: it says %q, want %q", text, r.err, want)
		}
	}
	if got := stored(); strings.Contains(got, "5") {
		t.Errorf("a file with a mistake was stored: %q", got)
	}
	w.run(1, "operators", "import", file+".none")
	w.run(2, "operators", "import")
}
