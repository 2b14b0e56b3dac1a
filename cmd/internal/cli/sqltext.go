package cli

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
)

// statement is one statement of a text, without what ends it.
type statement struct {
	text     string
	vertical bool // it ended with \G: each row down the page, as other clients of databases do it
}

// decodeSQL is the text of a file: without the byte order mark that some editors begin it with.
func decodeSQL(b []byte) (string, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return "", errors.New("the text is UTF-16: save it as UTF-8")
	}
	return string(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))), nil
}

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
// blanks and comments. It knows as much of the language as ClickHouse's src/Parsers/Lexer.cpp does of what can hold a
// semicolon: comments, three kinds of quotes, typographic quotes and heredocs.
func endedStatements(text string) (done []statement, rest string) {
	start, blank := 0, true
	for i := 0; i < len(text); {
		end, vertical := text[i] == ';', strings.HasPrefix(text[i:], `\G`)
		n, isBlank := tokenLength(text[i:])
		if end || vertical {
			if !blank {
				done = append(done, statement{text: strings.TrimSpace(text[start:i]), vertical: vertical})
			}
			if n = 1; vertical {
				n = 2
			}
			start, blank = i+n, true
		} else {
			blank = blank && isBlank
		}
		i += n
	}
	if !blank {
		rest = strings.TrimSpace(text[start:])
	}
	return done, rest
}

var heredoc = regexp.MustCompile(`^\$\w*\$`)

// tokenLength is the length of what begins a text and cannot be cut, in bytes, and whether it is a blank or a comment.
func tokenLength(text string) (n int, blank bool) {
	switch c := text[0]; {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
		return 1, true
	case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#!"), strings.HasPrefix(text, "# "):
		return through(text, 1, "\n"), true
	case strings.HasPrefix(text, "/*"):
		return through(text, 2, "*/"), true
	case c == '\'' || c == '"' || c == '`':
		return quotedLength(text), false
	case strings.HasPrefix(text, "‘"):
		return through(text, 1, "’"), false
	case strings.HasPrefix(text, "“"):
		return through(text, 1, "”"), false
	case c == '$':
		if mark := heredoc.FindString(text); mark != "" && strings.Contains(text[len(mark):], mark) {
			return through(text, len(mark), mark), false
		}
	case isWordByte(c): // a name may hold a $, which begins no heredoc there
		for n = 1; n < len(text) && (isWordByte(text[n]) || text[n] == '$'); n++ {
		}
		return n, false
	}
	return 1, false
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// through is the length up to and with the end mark, which is looked for from a place on, or all of it.
func through(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// quotedLength is the length of the quoted text that begins here. A doubled quote is two quoted texts, which is as good.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}
