package cli

import (
	"regexp"
	"strings"
)

// statement is one statement of a text, without what ends it.
type statement struct {
	text     string
	vertical bool // it ended with \G: each row down the page, as other clients of databases do it
}

// token is what begins a text and cannot be cut: a blank or comment (1), the end of a statement (2), or else a quoted text,
// a word or a character. It knows as much of the language as ClickHouse's src/Parsers/Lexer.cpp does of what can hold a
// semicolon. What is not closed goes on to the end; a doubled quote is two quoted texts, which is as good.
var token = regexp.MustCompile(`(?s)^(?:([\s\v]+|(?:--|#[! ]).*?(?:\n|$)|/\*.*?(?:\*/|$))|(;|\\G)|` +
	`'(?:\\.|[^\\'])*(?:'|\\?$)|"(?:\\.|[^\\"])*(?:"|\\?$)|\x60(?:\\.|[^\\\x60])*(?:\x60|\\?$)|‘.*?(?:’|$)|“.*?(?:”|$)|\w[\w$]*|.)`)

var heredoc = regexp.MustCompile(`^\$\w*\$`)

// splitStatements cuts a text at its semicolons, but for those in quotes and comments. Statements that are empty are
// left out, and the last one needs no semicolon.
func splitStatements(text string) []statement {
	done, rest := endedStatements(text)
	if rest != "" {
		done = append(done, statement{text: rest})
	}
	return done
}

// endedStatements cuts off the statements that are ended, and returns what comes after them, if there is more than
// blanks and comments.
func endedStatements(text string) (done []statement, rest string) {
	start, blank := 0, true
	for at := 0; at < len(text); {
		t := token.FindStringSubmatch(text[at:])
		next := at + len(t[0])
		if mark := heredoc.FindString(text[at:]); mark != "" {
			if n := strings.Index(text[at+len(mark):], mark); n >= 0 {
				next = at + n + 2*len(mark)
			}
		}
		if blank = blank && t[1]+t[2] != ""; t[2] != "" {
			if !blank {
				done = append(done, statement{text: strings.TrimSpace(text[start:at]), vertical: t[2] == `\G`})
			}
			start, blank = next, true
		}
		at = next
	}
	if !blank {
		rest = strings.TrimSpace(text[start:])
	}
	return done, rest
}
