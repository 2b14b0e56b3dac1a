package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// readmes are the documents, each beside what it describes.
var readmes = []string{"README.md", "schema/README.md", "sink/README.md", "cmd/README.md", "sync/README.md"}

// blocks returns the fenced blocks of a language in all READMEs, each with the line before it.
func blocks(t *testing.T, language string) (titles, texts []string) {
	t.Helper()
	block := regexp.MustCompile("(?ms)^([^\n]*)\n\n *```" + language + "\n(.*?)^ *```")
	for _, name := range readmes {
		for _, m := range block.FindAllStringSubmatch(readFile(t, "../../../"+name), -1) {
			titles, texts = append(titles, m[1]), append(texts, m[2])
		}
	}
	return titles, texts
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The README is read in one sitting, and whatever a README refers to is there.
func TestReadmes(t *testing.T) {
	t.Parallel()
	const most = 200
	if n := strings.Count(readFile(t, "../../../README.md"), "\n"); n > most {
		t.Errorf("README.md has %d lines, more than %d: what is detail belongs into the README of a folder", n, most)
	}
	for _, name := range readmes {
		text := readFile(t, "../../../"+name)
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			path, section, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := text
			if path != "" {
				content, err := os.ReadFile(filepath.Join("../../..", filepath.Dir(name), path))
				if err != nil {
					t.Errorf("%s: the link %s leads nowhere: %v", name, m[1], err)
					continue
				}
				target = string(content)
			}
			if section != "" && !hasSection(target, section) {
				t.Errorf("%s: the link %s names no heading", name, m[1])
			}
		}
	}
}

// hasSection reports whether a text has the heading that a link names, as GitHub spells it.
func hasSection(text, name string) bool {
	for _, m := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllStringSubmatch(text, -1) {
		heading := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(heading, " ", "-") == name {
			return true
		}
	}
	return false
}

// cmd/README.md says of each module that go.mod requires directly what it is for, and names no other.
func TestReadmeDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for module := range strings.FieldsSeq(string(out)) {
		direct[module] = true
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`/]+\\.[^`/]+/[^`]+)` \\| [^|]+ \\|$").FindAllStringSubmatch(readFile(t, "../../README.md"), -1) {
		if !direct[m[1]] {
			t.Errorf("cmd/README.md says twice what %s is for, or go.mod does not require it", m[1])
		}
		delete(direct, m[1])
	}
	for module := range direct {
		t.Errorf("cmd/README.md has no line that says what %s is for", module)
	}
}

// cmd/README.md has a row for each verb that the help shows.
func TestReadmeVerbs(t *testing.T) {
	t.Parallel()
	_, verbs, _ := strings.Cut(newWorld(t, 0).run(0, "--help").out, "Available Commands:\n")
	verbs, _, _ = strings.Cut(verbs, "\n\n")
	_, table, _ := strings.Cut(readFile(t, "../../README.md"), "\n## Verbs\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.Lines(verbs) {
		verb := strings.Fields(line)[0]
		if verb != "help" && !regexp.MustCompile("(?m)^\\|[^|]*`"+verb+"[ `]").MatchString(table) {
			t.Errorf("cmd/README.md has no row for the verb %s", verb)
		}
	}
	if strings.Count(verbs, "\n") < 10 {
		t.Errorf("the help shows no verbs: %q", verbs)
	}
}

func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	_, texts := blocks(t, "yaml")
	configurations := 0
	for _, text := range texts {
		if !strings.HasPrefix(strings.TrimSpace(text), "accounts:") {
			continue // the deployments have tests of their own
		}
		configurations++
		cfg, err := config.Parse("README.md", []byte(text), func(string) (string, bool) { return "x", true })
		if err != nil || len(cfg.Accounts) != 1 || cfg.Schedule.Lookback != 24*time.Hour {
			t.Errorf("%+v, %v", cfg, err)
		}
	}
	if configurations < 2 {
		t.Fatalf("the READMEs have %d configurations", configurations)
	}
}
