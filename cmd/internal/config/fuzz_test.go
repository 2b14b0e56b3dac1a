package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse checks laws that hold for every file: Parse does not panic, it returns
// a configuration or an *Error with problems on lines that exist, a configuration
// that it returns is valid, and no variable's value comes out.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(files, exampleFile) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("a: &a {<<: *a}\nb: &b [*b]\n&c c: *c\n? [x]\n: y\n*a : 1\n")
	f.Add("accounts:\n- &a\n  <<: [*a, {<<: *a}]\nlog: !!map {level: !!str info}\n---\n...\n")
	const value = "hunter2-hunter2"
	env := func(name string) (string, bool) { return value, strings.ToUpper(name) == name }

	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			t.Skip("the parser's time grows with the square of the nesting")
		}
		cfg, err := Parse("f.yaml", []byte(text), env)
		if err == nil {
			if err := cfg.Validate(); err != nil {
				t.Errorf("Parse accepts what Validate rejects: %v", err)
			}
			if out := fmt.Sprintf("%+v %#v", cfg.ClickHouse.Password, cfg.ClickHouse.Password); strings.Contains(out, value) {
				t.Errorf("a secret is shown: %s", out)
			}
			return
		}
		var failure *Error
		if !errors.As(err, &failure) || len(failure.Problems) == 0 || cfg != nil {
			t.Fatalf("an error without problems: %v", err)
		}
		if strings.Contains(err.Error(), value) && !strings.Contains(text, value) {
			t.Errorf("a variable's value is shown: %v", err)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, p := range failure.Problems {
			if p.Line < 0 || p.Line > lines || p.Message == "" {
				t.Errorf("a bad problem in a file of %d lines: %+v", lines, p)
			}
		}
	})
}
