package schema

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// glossaryText says what each column means: its unit, its time zone, the vendor's field. Tables and views have their
// comments from here. A line "column: meaning" holds wherever the column is; a line below it that is indented,
// "object object: meaning", holds in these tables and views.
//
//go:embed glossary.txt
var glossaryText string

// glossary is the text by column, and for each column by table or view; "" is the meaning elsewhere.
var glossary = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	column := ""
	for line := range strings.Lines(glossaryText) {
		names, meaning, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		exception := strings.HasPrefix(names, "  ")
		if !ok || exception && column == "" {
			panic(fmt.Sprintf("glossary.txt: what is this line: %q", line))
		}
		if !exception {
			column = names
			out[column] = map[string]string{"": meaning}
			continue
		}
		for _, object := range strings.Fields(names) {
			out[column][object] = meaning
		}
	}
	return out
})

// Meaning is the comment of a column of a table or view, or "" where the glossary does not know it.
func Meaning(object, column string) string {
	of := glossary()[column]
	if meaning, ok := of[object]; ok {
		return meaning
	}
	return of[""]
}
