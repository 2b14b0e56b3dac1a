package cli

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/reeflective/readline"
)

// vocabulary are the words that Tab knows: first the names of the warehouse, then the language's. Later parts may
// repeat earlier ones.
const vocabulary = `SELECT name FROM
(
	SELECT 1 AS part, name FROM system.tables WHERE database = currentDatabase() AND NOT startsWith(name, 'goose')
	UNION ALL SELECT DISTINCT 2, name FROM system.columns WHERE database = currentDatabase()
	UNION ALL SELECT 3, keyword FROM system.keywords WHERE keyword NOT LIKE '% %'
	UNION ALL SELECT 4, name FROM system.functions
)
GROUP BY name ORDER BY min(part), name`

// words asks the server for them when they are first needed. A server that does not answer soon, or an older one that has no such
// tables, costs completion and nothing else.
func (s *session) words(ctx context.Context) func() []string {
	return sync.OnceValue(func() []string {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		var answer bytes.Buffer
		if s.server.ask(ctx, vocabulary+" FORMAT TSVRaw", nil, &answer) != nil {
			return nil
		}
		return strings.Split(answer.String(), "\n")
	})
}

// most is how many words Tab offers: more is no help.
const mostWords = 60

// complete offers the words that begin as the one before the cursor does, whatever their case.
func complete(words func() []string, before []rune) readline.Completions {
	start := len(before)
	for start > 0 && (before[start-1] == '_' || unicode.IsLetter(before[start-1]) || unicode.IsDigit(before[start-1])) {
		start--
	}
	prefix := string(before[start:])
	if prefix == "" {
		return readline.Completions{}
	}
	var found []string
	for _, w := range words() {
		if len(w) >= len(prefix) && strings.EqualFold(w[:len(prefix)], prefix) {
			if found = append(found, w); len(found) == mostWords {
				break
			}
		}
	}
	c := readline.CompleteValues(found...).NoSort()
	c.PREFIX = prefix
	return c
}
