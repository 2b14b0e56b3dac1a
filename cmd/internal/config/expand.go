package config

import (
	"regexp"
	"strings"
)

// LookupEnv finds the value of an environment variable, as os.LookupEnv does.
type LookupEnv = func(name string) (value string, set bool)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand fills the variables of one value in:
//
//	${NAME}           the value of NAME, which must be set
//	${NAME:-default}  the same, or default when NAME is unset or empty
//	$$                a dollar
//
// A dollar that begins none of these is itself. What a variable holds is not
// looked at again, so a secret may contain ${ and $$.
//
// The second result says what is wrong. It names variables, never their values.
func expand(text string, env LookupEnv) (string, string) {
	var b strings.Builder
	var unset []string
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i+1:]
		switch {
		case strings.HasPrefix(text, "$"):
			b.WriteByte('$')
			text = text[1:]
		case strings.HasPrefix(text, "{"):
			inner, rest, closed := strings.Cut(text[1:], "}")
			name, fallback, hasFallback := strings.Cut(inner, ":-")
			if !closed || !variableName.MatchString(name) {
				return "", "has a malformed variable (write ${NAME} or ${NAME:-default}, and $$ for a dollar)"
			}
			text = rest
			value, set := env(name)
			switch {
			case hasFallback && value == "":
				value = fallback
			case !set && !hasFallback:
				unset = append(unset, name)
			}
			b.WriteString(value)
		default:
			b.WriteByte('$')
		}
	}
	if len(unset) > 0 {
		what, remedy := "the variable "+unset[0]+" is not set", "set it, or write ${"+unset[0]+":-default}"
		if len(unset) > 1 {
			what, remedy = "the variables "+strings.Join(unset, ", ")+" are not set", "set them"
		}
		return "", what + " (" + remedy + "; $$ is a dollar)"
	}
	b.WriteString(text)
	return b.String(), ""
}
