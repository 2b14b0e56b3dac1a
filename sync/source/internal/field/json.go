package field

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"
)

// maxDepth of nesting is what encoding/json allows. Checking JSON takes stack for every level, and a hostile answer
// must not be able to take all of it.
const maxDepth = 10_000

// Valid reports whether s is JSON.
func Valid(s string) bool {
	// As many brackets are cheap to count and rare to find.
	if strings.Count(s, "[")+strings.Count(s, "{") > maxDepth && depth(s) > maxDepth {
		return false
	}
	return gjson.Valid(s)
}

// depth of nesting, of JSON; of anything else at least as much as a check would see before it stops.
func depth(s string) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// Each calls yield with the fields of an object. Its values are slices of raw, which must be JSON.
func Each(raw string, yield func(k, v gjson.Result) bool) {
	gjson.Result{Type: gjson.JSON, Raw: raw}.ForEach(yield)
}

// Plain is a value as text; null is none.
func Plain(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return Str(v)
	case gjson.Null:
		return ""
	}
	return v.Raw
}

// Str is the text of a JSON string. gjson swallows the escape after half a surrogate pair; encoding/json does not.
func Str(v gjson.Result) string {
	if len(v.Raw) == len(v.Str)+len(`""`) || !strings.Contains(v.Raw, `\ud`) && !strings.Contains(v.Raw, `\uD`) {
		return v.Str
	}
	var s string
	if json.Unmarshal([]byte(v.Raw), &s) != nil {
		return v.Str // cannot be: it is JSON
	}
	return s
}

// Hash hashes a field as received. The fingerprint of a row is the XOR of its fields' hashes, so that the order of the
// keys does not matter.
func Hash(key, raw string) uint64 {
	var buf [192]byte // holds nearly every field, so nothing is allocated
	b := append(buf[:0], key...)
	b = append(b, ':')
	b = append(b, raw...)
	return xxhash.Sum64(b)
}

// Excerpt is the start of a text, for messages.
func Excerpt(s string) string { return Cut(s, 120) }

// Cut is at most limit bytes of a text that others wrote, for people to read: proper UTF-8, with a blank for every
// character that would not be seen, such as those that move a terminal's cursor or turn the text around.
func Cut(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
