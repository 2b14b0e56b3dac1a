package schema

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write migrations/FROZEN and views/VERSION anew")

// A file of migrations that has landed does not change: warehouses were made by it. FROZEN has the checksum of each; a new
// file is added to it by -update, which does not touch the lines of the others.
func TestMigrationsAreFrozen(t *testing.T) {
	t.Parallel()
	const file = "migrations/FROZEN"
	frozen, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(frozen)), "\n")
	var want []string
	for _, name := range migrationNames() {
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(name, "migrations/")
		line := fmt.Sprintf("%x  %s", sha256.Sum256(text), name)
		have := slices.IndexFunc(lines, func(l string) bool { return strings.HasSuffix(l, "  "+name) })
		switch {
		case have >= 0 && lines[have] != line:
			t.Errorf("%s was changed: warehouses were made by what it said before. Write a new file that changes them", name)
		case have < 0 && !*update:
			t.Errorf("%s is not in %s: go test ./schema -update adds it", name, file)
		}
		want = append(want, line)
	}
	for _, line := range lines {
		if _, name, _ := strings.Cut(line, "  "); name != "" && !slices.Contains(migrationNames(), "migrations/"+name) {
			t.Errorf("%s is gone: warehouses were made by it", name)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(want, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Views are made from the folder views; a statement about one in a migration is passed over.
func TestMigrationsLeaveViewsAlone(t *testing.T) {
	t.Parallel()
	for i, name := range migrationNames() {
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		statements, err := split(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if Versions()[i] > 14 && slices.ContainsFunc(statements, view.MatchString) {
			t.Errorf("%s: a view is a file of the folder views, not a migration", name)
		}
	}
}

// The number in VERSION rises with each change of the views or of the glossary: an older program must see that it does not
// know them.
func TestVersionOfTheViews(t *testing.T) {
	t.Parallel()
	number, digest, _ := strings.Cut(strings.TrimSpace(viewsVersion), " ")
	if digest == viewsDigest() {
		return
	}
	if !*update {
		t.Fatal("views or glossary were changed: go test ./schema -update raises the number in views/VERSION")
	}
	next := fmt.Sprintf("%d %s\n", CurrentMark().Views+1, viewsDigest())
	if err := os.WriteFile("views/VERSION", []byte(next), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the views were number %s; go test -count=1 compiles the new one in", number)
}

// Each view file has a comment and one SELECT, and a name that no table has.
func TestViews(t *testing.T) {
	t.Parallel()
	for _, v := range Views() {
		if v.Comment == "" || !regexp.MustCompile(`^(SELECT|WITH)\s`).MatchString(v.Select) || strings.HasSuffix(v.Select, ";") {
			t.Errorf("view %s: comment %q, SELECT %.40q", v.Name, v.Comment, v.Select)
		}
		if v.IsAsOf() && (strings.Count(v.Select, "throwIf") != 1 || strings.Contains(v.Select, "_rows FINAL")) {
			t.Errorf("view %s does not refuse a moment of which nothing is known, or reads what is current:\n%s", v.Name, v.Select)
		}
		if slices.ContainsFunc(Tables(), func(t Table) bool { return t.Name == v.Name }) {
			t.Errorf("%s is a table and a view", v.Name)
		}
	}
	if m, ok := ParseViewMark("It's a view" + CurrentMark().String()); !ok || m != CurrentMark() || m.Newer() {
		t.Errorf("the mark %q is read as %+v, %v", CurrentMark(), m, ok)
	}
	for _, comment := range []string{"", "a view", "(ordersync)", " (ordersync 1.1-0000000)", " (ordersync 1.1-00000000) ", " (ordersync x.1-00000000)"} {
		if _, ok := ParseViewMark(comment); ok {
			t.Errorf("%q is no mark", comment)
		}
	}
	newer := CurrentMark()
	newer.Views++
	if !newer.Newer() {
		t.Error("one more is not newer")
	}
}

// Each column of each table has a meaning, and the glossary knows of no object that there is not.
func TestGlossary(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"": true}
	for _, table := range Tables() {
		known[table.Name] = true
		for _, c := range table.Columns {
			if Meaning(table.Name, c.Name) == "" {
				t.Errorf("%s.%s is not in glossary.txt", table.Name, c.Name)
			}
		}
	}
	for _, v := range Views() {
		known[v.Name] = true
	}
	for column, of := range glossary() {
		for object := range of {
			if !known[object] {
				t.Errorf("glossary.txt: %s: there is no table or view %s", column, object)
			}
		}
	}
}
