package cli_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// blocks gives the fenced blocks of a language in the README, each with the line before it.
func blocks(t *testing.T, language string) (titles, texts []string) {
	t.Helper()
	readme := readFile(t, "../../../README.md")
	for _, m := range regexp.MustCompile("(?ms)^([^\n]*)\n\n *```"+language+"\n(.*?)^ *```").FindAllStringSubmatch(readme, -1) {
		titles, texts = append(titles, m[1]), append(texts, m[2])
	}
	return titles, texts
}

<<<<<<< HEAD
=======
func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The cookbook of the README answers what it says, on real data.
func TestReadmeCookbook(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 500})
	w.configure()
	w.run(0, "backfill", "--from", "-24h")
	titles, queries := blocks(t, "sql")
	if len(queries) < 8 {
		t.Fatalf("the README has %d queries", len(queries))
	}
	// What these ask for has not happened yet in an account that was synced a moment ago.
	nothing := map[string]bool{"What changed yesterday?": true, "What did the orders look like at a moment?": true}
	for i, q := range queries {
		r := w.run(0, "sql", "--format", "csv", q)
		if rows := strings.Count(r.out, "\n") - 1; rows < 1 && !nothing[titles[i]] {
			t.Errorf("%s no row:\n%s", titles[i], r.out)
		}
	}
	// The last one: all but what is open, which is the hour under way, and for two minutes the one before it.
	whole := w.run(0, "sql", "--format", "csv", "SELECT count() AS windows, countIf(verdict != 'open') AS whole FROM sync_windows").out
	if got := w.run(0, "sql", "--format", "csv", queries[len(queries)-1]).out; got != whole || !strings.Contains(got, "25,2") {
		t.Errorf("%s instead of %s", got, whole)
	}
}

>>>>>>> monitoring
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
		t.Fatalf("the README has %d configurations", configurations)
	}
}
