package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/reeflective/readline"
	"golang.org/x/term"
)

// promptHelp is what help says at the prompt.
const promptHelp = `A statement ends with a semicolon and may go over several lines.

  \d          the views, and what a row of each is
  \d NAME     the columns of a view or table, and what they mean
  … \G        instead of the semicolon: each row down the page
  help, \?    this
  \q, Ctrl-D  leave

Ctrl-C      stops the statement that runs, or clears what is typed
Tab         completes names; Up, Down and Ctrl-R find earlier statements
`

// prompt reads statements from the terminal and runs them, until the person leaves. An error of a statement is shown
// and is not the end.
func (s *session) prompt(ctx context.Context) error {
	// While something is typed the terminal sends Ctrl-C as a key. While a statement runs it is a signal, which here is
	// not to end the program.
	signal.Reset(os.Interrupt)
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	defer leaveOnSignal(ctx)()

	shell := s.shell(ctx)
	fmt.Fprintf(s.out, "ClickHouse %s. \\d shows the views, help the rest; Ctrl-D leaves.\n", s.server.version)
	for {
		line, err := shell.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.out)
			return nil
		case err != nil:
			return fmt.Errorf("read from the terminal: %w", err)
		}
		run, leave := s.command(line)
		if leave {
			return nil
		}
		if err := s.interruptible(ctx, run); err != nil {
			fmt.Fprintln(s.console, err)
		}
	}
}

// leaveOnSignal ends the program when the context ends: nothing else would while it waits for a key. The terminal is
// given back as it was. What it returns stops that.
func leaveOnSignal(ctx context.Context) (stop func()) {
	terminal := int(os.Stdin.Fd())
	state, err := term.GetState(terminal)
	end := context.AfterFunc(ctx, func() {
		if err == nil {
			_ = term.Restore(terminal, state)
		}
		os.Exit(exitInterrupted)
	})
	return func() { end() }
}

// interruptible runs something until Ctrl-C. The server may be busy with what was stopped for a while, and its session with
// it, so a new one begins.
func (s *session) interruptible(ctx context.Context, run func(context.Context) error) error {
	running, end := signal.NotifyContext(ctx, os.Interrupt)
	defer end()
	err := run(running)
	if running.Err() != nil {
		fmt.Fprintln(s.console, "\nstopped") // below the ^C of the terminal
		return s.server.session(ctx)
	}
	return err
}

// shell is the line editor with its prompt, history and completion.
func (s *session) shell(ctx context.Context) *readline.Shell {
	shell := readline.NewShell()
	first := "ordersync> "
	if s.write {
		first = "ordersync (write)> "
	}
	shell.Prompt.Primary(func() string { return first })
	shell.AcceptMultiline = func(line []rune) bool { return isWhole(string(line)) }
	// The prompt always begins a line, so the terminal need not be asked where it is; some never answer.
	_ = shell.Config.Set("cursor-position-probe", false)
	if file, err := historyFile(); err == nil { // without a place to keep it, history lasts as long as the program
		if history, err := readline.NewHistoryFromFile(file); err == nil {
			shell.History.Delete()
			shell.History.Add("history", history)
		}
	}
	words := s.words(ctx)
	shell.Completer = func(line []rune, cursor int) readline.Completions { return complete(words, string(line[:cursor])) }
	return shell
}

// historyFile makes sure that there is a file for the history, for this user's eyes.
func historyFile() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	file := filepath.Join(cache, "ordersync", "sql_history")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	return file, f.Close()
}

// isWhole reports whether what was typed can run: Enter begins another line else.
func isWhole(text string) bool {
	_, rest := endedStatements(text)
	return rest == "" || isCommand(rest)
}

var commandLine = regexp.MustCompile(`(?i)^(\\.*|help|exit|quit)$`)

// isCommand reports whether a line is no SQL: it needs no semicolon.
func isCommand(text string) bool { return commandLine.MatchString(text) }

// command is what a line asks for; one that is no SQL is answered by ourselves.
func (s *session) command(line string) (run func(context.Context) error, leave bool) {
	text := strings.TrimSpace(line)
	bare := strings.TrimSpace(strings.TrimRight(text, ";"))
	if !isCommand(bare) {
		return func(ctx context.Context) error { return s.runAll(ctx, splitStatements(text)) }, false
	}
	word, name, _ := strings.Cut(bare, " ")
	switch strings.ToLower(word) {
	case `\q`, "exit", "quit":
		return nil, true
	case `\d`:
		return func(ctx context.Context) error { return s.describe(ctx, strings.TrimSpace(name)) }, false
	case "help", `\?`, `\h`:
		return s.say(promptHelp), false
	}
	return s.say("There is no command " + word + "; help shows those that are.\n"), false
}

func (s *session) say(text string) func(context.Context) error {
	return func(context.Context) error {
		_, err := fmt.Fprint(s.out, text)
		return err
	}
}

// describe explains the views, or the columns of one of them. The comment of a storage table names the view that is to be
// read instead.
func (s *session) describe(ctx context.Context, name string) error {
	query := "SELECT name, comment FROM system.tables WHERE database = currentDatabase()" +
		" AND comment != '' AND comment NOT LIKE '%Read the view%' AND engine != 'MaterializedView' ORDER BY name"
	rows := [][]any{{"view", "comment"}}
	if name != "" { // the server knows no columns of a view as of a moment; they are those of the view without that
		query = "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = replaceOne({name:String}, '_as_of', '') ORDER BY position"
		rows = [][]any{{"column", "type", "comment"}}
	}
	var answer bytes.Buffer
	if err := s.server.ask(ctx, query+" FORMAT JSONCompact", url.Values{"param_name": {name}}, &answer); err != nil {
		return explain(err, false)
	}
	var found struct{ Data [][]any }
	if err := json.Unmarshal(answer.Bytes(), &found); err != nil {
		return err
	}
	s.table(append(rows, found.Data...))
	return nil
}
