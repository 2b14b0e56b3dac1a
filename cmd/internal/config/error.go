package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Line is the line of the file, counted from 1, or 0 when there is none.
	Line int
	// Variable is the variable of the environment that is wrong or missing, or
	// the beginning of several and *. It is empty when it is the file.
	Variable string
	// Field is the path of the field, such as accounts[0].site. It is empty when
	// the problem is the file's.
	Field string
	// Message says what is wrong and, in parentheses, what to do.
	Message string
}

// Error holds everything that is wrong with a configuration. It is the only type
// of error that this package returns, so that a caller can tell a wrong
// configuration from every other failure.
type Error struct {
	File     string
	Problems []Problem
	cause    error
}

// Error returns one line for each problem: file:line: field: message, or
// $VARIABLE: field: message.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		var b strings.Builder
		if p.Variable != "" {
			b.WriteString("$" + p.Variable + ": ")
		} else if e.File != "" {
			b.WriteString(e.File + ":")
			if p.Line > 0 {
				fmt.Fprintf(&b, "%d:", p.Line)
			}
			b.WriteByte(' ')
		}
		if p.Field != "" {
			b.WriteString(p.Field + ": ")
		}
		lines = append(lines, b.String()+p.Message)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns what the operating system said when the file could not be read,
// so that errors.Is(err, fs.ErrNotExist) works.
func (e *Error) Unwrap() error { return e.cause }

// newError returns the problems in the order of the file, or nil when there are
// none. It returns the interface, because a nil *Error in an error is not nil.
func newError(file string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field))
	})
	return &Error{File: file, Problems: problems}
}

// didYouMean returns the option that word was probably meant to be, or "". Two
// edits are allowed, fewer in short words; case and separators do not count, so
// that accessKeyId finds access_key_id.
func didYouMean(word string, options []string) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	best, bestDistance := "", 3
	for _, option := range options {
		d := distance(plain(word), plain(option))
		if d < bestDistance && (d == 0 || d*3 <= len(option)) {
			best, bestDistance = option, d
		}
	}
	return best
}

// distance is the number of edits between two words, a swap of neighbours being
// one of them. Words that are far too long are not measured.
func distance(a, b string) int {
	if len(a) > 60 || len(b) > 60 {
		return max(len(a), len(b))
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
