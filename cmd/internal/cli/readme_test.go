package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// blocks returns the fenced blocks of a language in the README, each with the line before it.
func blocks(t *testing.T, language string) (titles, texts []string) {
	t.Helper()
	readme := readFile(t, "../../../README.md")
	for _, m := range regexp.MustCompile("(?ms)^([^\n]*)\n\n *```"+language+"\n(.*?)^ *```").FindAllStringSubmatch(readme, -1) {
		titles, texts = append(titles, m[1]), append(texts, m[2])
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
