package cli

import "strings"

// columnType is a ClickHouse type, parsed as far as printing needs it: Array(Nullable(DateTime64(3, 'UTC'))).
type columnType struct {
	name string
	args []columnType // of types that hold others; other arguments are types with odd names, which nobody looks at
	keys []string     // names of the elements of a named Tuple
}

// parseType parses the name of a type as the server gives it. Wrappers that do not change how a value looks are taken
// off.
func parseType(text string) columnType {
	text = strings.TrimSpace(text)
	name, inner, ok := strings.Cut(text, "(")
	if !ok {
		return columnType{name: text}
	}
	t := columnType{name: name}
	for _, arg := range splitArgs(strings.TrimSuffix(inner, ")")) {
		if name == "Tuple" || name == "Nested" {
			key, rest, named := cutKey(arg)
			if named {
				t.keys = append(t.keys, key)
				arg = rest
			}
		}
		t.args = append(t.args, parseType(arg))
	}
	switch name {
	case "Nullable", "LowCardinality":
		return t.arg(0)
	case "SimpleAggregateFunction":
		return t.arg(1)
	}
	return t
}

// arg is the i-th argument, or nothing that is known.
func (t columnType) arg(i int) columnType {
	if i < len(t.args) {
		return t.args[i]
	}
	return columnType{}
}

// splitArgs cuts at the commas that are in no parentheses and in no quotes.
func splitArgs(text string) []string {
	var out []string
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '\'', '`', '"':
			i += quotedLength(text[i:]) - 1
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(text[start:i]))
				start = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(text[start:]))
}

// cutKey takes the name off an element of a named tuple: "a String", "`a b` Array(String)".
func cutKey(arg string) (key, rest string, named bool) {
	if strings.HasPrefix(arg, "`") {
		n := quotedLength(arg)
		return strings.Trim(arg[:n], "`"), strings.TrimSpace(arg[n:]), true
	}
	key, rest, named = strings.Cut(arg, " ")
	if strings.ContainsAny(key, "(',") {
		return "", arg, false
	}
	return key, rest, named
}
