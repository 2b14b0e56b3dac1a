package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// ask puts a question on the terminal and returns the answer. What is typed to a hidden one is not shown. It ends with the
// context, and with an error where the terminal says no more.
func (p *program) ask(ctx context.Context, question string, hidden bool) (string, error) {
	fmt.Fprint(p.console, question)
	type answer struct {
		text string
		err  error
	}
	given := make(chan answer, 1)
	terminal := -1
	if f, ok := p.in.(*os.File); ok && hidden {
		terminal = int(f.Fd())
	}
	state, stateErr := term.GetState(terminal)
	go func() { // ends with the answer, or with the program
		if terminal >= 0 {
			text, err := term.ReadPassword(terminal)
			given <- answer{string(text), err}
			return
		}
		text, err := bufio.NewReader(p.in).ReadString('\n')
		given <- answer{text, err}
	}()
	select {
	case a := <-given:
		if terminal >= 0 || a.err != nil {
			fmt.Fprintln(p.console) // nobody has ended the line
		}
		return strings.TrimSpace(a.text), a.err
	case <-ctx.Done():
		fmt.Fprintln(p.console)
		if stateErr == nil {
			_ = term.Restore(terminal, state) // the end of the program would leave it without an echo
		}
		return "", context.Cause(ctx)
	}
}

// confirm asks on the terminal; anything but yes is no.
func (p *program) confirm(ctx context.Context, question string) bool {
	answer, err := p.ask(ctx, question+" [y/N] ", false)
	answer = strings.ToLower(answer)
	return err == nil && (answer == "y" || answer == "yes")
}
