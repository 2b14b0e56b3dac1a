package cli

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeflective/readline"
)

// vocabularies are the words that Tab knows: first the names of the warehouse, then the language's, which not every server
// shows to every user.
var vocabularies = []string{
	"SELECT name FROM system.tables WHERE database = currentDatabase() AND NOT startsWith(name, 'goose') ORDER BY name",
	"SELECT DISTINCT name FROM system.columns WHERE database = currentDatabase() ORDER BY name",
	"SELECT keyword FROM system.keywords WHERE keyword NOT LIKE '% %' ORDER BY keyword",
	"SELECT name FROM system.functions ORDER BY name",
}

// words asks the server for them when they are first needed. One that does not answer soon costs completion and nothing else.
func (s *session) words(ctx context.Context) func() []string {
	return sync.OnceValue(func() (words []string) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		for _, query := range vocabularies {
			var answer bytes.Buffer
			if s.server.ask(ctx, query+" FORMAT TSVRaw", nil, &answer) == nil {
				words = append(words, strings.Fields(answer.String())...)
			}
		}
		return words
	})
}

// mostWords is how many words Tab offers: more is no help.
const mostWords = 60

var wordBefore = regexp.MustCompile(`[\pL\pN_]+$`)

// complete offers the words that begin as the one before the cursor does, whatever their case.
func complete(words func() []string, before string) readline.Completions {
	prefix := wordBefore.FindString(before)
	if prefix == "" {
		return readline.Completions{}
	}
	var found []string
	for _, w := range words() {
		if len(found) < mostWords && len(w) >= len(prefix) && strings.EqualFold(w[:len(prefix)], prefix) && !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	c := readline.CompleteValues(found...).NoSort()
	c.PREFIX = prefix
	return c
}
