package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// wantedProblems reads what a bad file says about itself. In it,
//
//	key: value #! field: part of the message
//
// expects a problem on that line, and #!7 one on line 7. A line may hold several.
func wantedProblems(t *testing.T, data string) []Problem {
	t.Helper()
	var wanted []Problem
	for i, line := range strings.Split(data, "\n") {
		for _, note := range strings.Split(line, "#!")[1:] {
			number, rest, found := strings.Cut(note, " ")
			at := i + 1
			if number != "" {
				n, err := strconv.Atoi(number)
				if err != nil {
					t.Fatalf("line %d: bad expectation %q", i+1, note)
				}
				at = n
			}
			name, message, found2 := strings.Cut(rest, ": ")
			if !found || !found2 {
				t.Fatalf("line %d: bad expectation %q", i+1, note)
			}
			wanted = append(wanted, Problem{Line: at, Field: strings.TrimSpace(name), Message: strings.TrimSpace(message)})
		}
	}
	return wanted
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// A file's line ends must not move its lines.
			for name, text := range map[string]string{
				"lf":   string(data),
				"crlf": strings.ReplaceAll(string(data), "\n", "\r\n"),
			} {
				checkProblems(t, name, text, wantedProblems(t, string(data)))
			}
		})
	}
}

func checkProblems(t *testing.T, name, text string, wanted []Problem) {
	t.Helper()
	cfg, err := Parse("bad.yaml", []byte(text), testEnv)
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%s: got error %v, want an *Error", name, err)
	}
	if cfg != nil {
		t.Errorf("%s: a bad file gave a configuration", name)
	}
	problems := failure.Problems
	for _, w := range wanted {
		found := false
		for i, p := range problems {
			if p.Line == w.Line && p.Field == w.Field && strings.Contains(p.Message, w.Message) {
				problems = append(problems[:i:i], problems[i+1:]...)
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s: missing problem: line %d: %s: …%s…", name, w.Line, w.Field, w.Message)
		}
	}
	for _, p := range problems {
		t.Errorf("%s: unexpected problem: line %d: %s: %s", name, p.Line, p.Field, p.Message)
	}
	for _, p := range failure.Problems {
		if !strings.Contains(p.Message, "(") {
			t.Errorf("%s: a message without a remedy: %s: %s", name, p.Field, p.Message)
		}
		if strings.ContainsAny(p.Field+p.Message, "\n\r") {
			t.Errorf("%s: a message breaks its line: %q", name, p.Message)
		}
	}
	if text := err.Error(); strings.Contains(text, "hunter2") {
		t.Errorf("%s: the error shows a secret:\n%s", name, text)
	}
}
