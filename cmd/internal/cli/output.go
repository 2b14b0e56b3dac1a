package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// output is standard output. It keeps the first error of writing, so that a verb need not look at each of its prints: what
// was not written whole is no success, whatever the verb found out. A pipe whose reader has gone ends the process by a
// signal, as it ends any other program.
type output struct {
	to io.Writer
	// plain sends what is written as it is. Everything else is text for people, which holds what a vendor has said, or
	// anybody who could name something in a console: it must not steer a terminal.
	plain bool
	state *outputState
}

// outputState is shared by all ways to write to one standard output.
type outputState struct {
	mu  sync.Mutex
	err error
}

func newOutput(to io.Writer) *output { return &output{to: to, state: &outputState{}} }

// data is for what a program reads, and passes it on exactly, unless a person sees it.
func (o *output) data() *output { return &output{to: o.to, plain: !isTerminal(o.to), state: o.state} }

// painted is for lines of our own with colours in them.
func (o *output) painted() *output { return &output{to: o.to, plain: true, state: o.state} }

// Write is part of io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	if o.state.err != nil {
		return 0, o.state.err
	}
	var err error
	if o.plain {
		_, err = o.to.Write(b)
	} else {
		_, err = o.to.Write(printableBytes(b))
	}
	if err != nil {
		o.state.err = &writeError{err}
		return 0, o.state.err
	}
	return len(b), nil
}

// failed is the first error of writing.
func (o *output) failed() error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	return o.state.err
}

// writeError says that standard output does not take what is written.
type writeError struct{ err error }

func (e *writeError) Error() string {
	return fmt.Sprintf("write standard output: %v: what is there is not all of it", cause(e.err))
}

func (e *writeError) Unwrap() error { return e.err }

// cause is the innermost error: the name of the file says nothing here.
func cause(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err
		}
		err = inner.Unwrap()
	}
}

// printable shows control characters instead of sending them to a terminal: escape sequences, also those of one character
// beyond ASCII, and marks that turn the direction of writing. What is no text becomes U+FFFD.
func printable(s string) string { return string(printableBytes([]byte(s))) }

func printableBytes(b []byte) []byte {
	if utf8.Valid(b) && bytes.IndexFunc(b, steers) < 0 {
		return b
	}
	var out strings.Builder
	for _, r := range string(b) {
		if !steers(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, `\u%04x`, unit) // inside a JSON text it is the same character still
		}
	}
	return []byte(out.String())
}

// steers reports whether a character does something else than to be seen.
func steers(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) }

// report prints what a verb found out: as JSON where a program reads it, else as a text for people.
func (p *program) report(v any, text func()) {
	if p.machine {
		p.json(v)
	} else {
		text()
	}
}

// json prints what a program reads.
func (p *program) json(v any) {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // what cannot be written, output keeps
}
