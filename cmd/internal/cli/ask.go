package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ask puts a question on the terminal and returns the answer without the white space around it. What is typed to a hidden one is
// not shown. It ends with the context; the error is io.EOF where the terminal says no more.
func (p *program) ask(ctx context.Context, question string, hidden bool) (string, error) {
	type answer struct {
		text string
		err  error
	}
	given := make(chan answer, 1)
	read := func() (string, error) { return bufio.NewReader(p.in).ReadString('\n') }
	if f, ok := p.in.(*os.File); ok && hidden {
		state, err := term.MakeRaw(int(f.Fd())) // before the question: who is fast must not be shown either
		if err != nil {
			return "", err
		}
		defer func() { _ = term.Restore(int(f.Fd()), state) }()
		screen := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{f, p.err}, "")
		read = func() (string, error) { return screen.ReadPassword(question) }
	} else {
		fmt.Fprint(p.console, question)
	}
	go func() { // ends with the answer, or with the program
		text, err := read()
		given <- answer{text, err}
	}()
	select {
	case a := <-given:
		if a.err != nil {
			fmt.Fprintln(p.console) // nobody has ended the line
		}
		return strings.TrimSpace(a.text), a.err
	case <-ctx.Done():
		fmt.Fprintln(p.console)
		return "", context.Cause(ctx)
	}
}

// confirm asks on the terminal; anything but yes is no.
func (p *program) confirm(ctx context.Context, question string) bool {
	answer, err := p.ask(ctx, question+" [y/N] ", false)
	answer = strings.ToLower(answer)
	return err == nil && (answer == "y" || answer == "yes")
}
