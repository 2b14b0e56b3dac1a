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
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^([^\n]*)\n\n *```"+language+"\n(.*?)^ *```").FindAllStringSubmatch(string(readme), -1) {
		titles, texts = append(titles, m[1]), append(texts, m[2])
	}
	return titles, texts
}

func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	_, texts := blocks(t, "yaml")
	if len(texts) != 1 {
		t.Fatalf("the README has %d configurations", len(texts))
	}
	cfg, err := config.Parse("README.md", []byte(texts[0]), func(string) (string, bool) { return "x", true })
	if err != nil || len(cfg.Accounts) != 1 || cfg.Schedule.Lookback != 24*time.Hour {
		t.Errorf("%+v, %v", cfg, err)
	}
}
