package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// field is what is known about one field.
type field struct {
	line          int
	raw           string // The text of a scalar as written: the variables are not filled in.
	failed        bool   // It has a problem already, so it is not judged again.
	inEnvironment bool   // It is set by a variable of its own, not by the file.
}

// problem is one with this field, or with one of a path that it is the nearest around.
func (f field) problem(path, message string) Problem {
	p := Problem{Line: f.line, Field: path, Message: message}
	if f.inEnvironment {
		p.Variable = variableOf(path)
		if !isSetting(path) {
			p.Variable += "_*" // one of those below
		}
	}
	return p
}

// decoder maps a syntax tree to the configuration's structs by their yaml tags
// and collects every problem on the way. It knows the types that the structs are
// made of and no others.
type decoder struct {
	env       LookupEnv
	offline   bool // The values of credentials are left out.
	anchors   map[string]ast.Node
	fields    map[string]field
	merges    int // How many merges were resolved, see maxMerges.
	problems  []Problem
	variables []string // The settings of the environment that were taken.
}

func newDecoder(env LookupEnv, root ast.Node) *decoder {
	d := &decoder{env: env, anchors: map[string]ast.Node{}, fields: map[string]field{}}
	if root != nil {
		ast.Walk(anchorVisitor{d}, root)
	}
	return d
}

// anchorVisitor collects the anchors before anything is decoded, because one may
// stand below a key that is unknown and therefore not visited.
type anchorVisitor struct{ d *decoder }

func (v anchorVisitor) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
		name := a.Name.String()
		if _, exists := v.d.anchors[name]; exists {
			v.d.problems = append(v.d.problems, Problem{Line: startLine(n), Message: "an anchor's name is used twice (give each its own)"})
			return v
		}
		v.d.anchors[name] = a.Value
	}
	return v
}

// fail reports a problem with the value of a field.
func (d *decoder) fail(path, format string, args ...any) {
	f := d.fields[path]
	f.failed = true
	d.fields[path] = f
	d.problems = append(d.problems, f.problem(path, fmt.Sprintf(format, args...)))
}

// resolve looks through anchors and aliases. It returns nil for an alias that
// leads nowhere or to itself.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range 100 {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			n = d.anchors[node.Value.String()]
		default:
			return n
		}
	}
	return nil
}

// value decodes one node into v, which holds the default. The caller has
// recorded the line of path. A key without a value keeps the default.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	aliased := n != nil
	n = d.resolve(n)
	if n == nil {
		if aliased {
			d.fail(path, "refers to an anchor that does not exist (define it with &, or write the value out)")
		}
		return
	}
	switch n.(type) {
	case *ast.NullNode:
		return
	case *ast.TagNode:
		d.fail(path, "has a YAML tag (remove it; the type is known)")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// mapping decodes the keys of a struct.
func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	keys := yamlKeys(v.Type())
	entries, ok := d.entries(n, path, nil)
	if !ok {
		d.fail(path, "must be a mapping, not %s (its keys are %s)", kindOf(n), strings.Join(keys, ", "))
		return
	}
	for _, e := range entries {
		at := join(path, e.key)
		if !slices.Contains(keys, e.key) {
			d.unknown(e, keys, path, v.Type())
			continue
		}
		d.fields[at] = field{line: e.line}
		d.value(e.value, fieldByKey(v, e.key), at)
	}
}

// unknown reports a key that does not exist. In a mapping that holds secrets a
// key that resembles no other is not shown: it may be a secret that slipped out
// of its place (I10).
func (d *decoder) unknown(e entry, keys []string, path string, t reflect.Type) {
	p := Problem{Line: e.line, Field: join(path, e.key), Message: "unknown key"}
	if meant := didYouMean(e.key, keys); meant != "" && plainKey(e.key) {
		p.Message += fmt.Sprintf(" (did you mean %q?)", meant)
		// The user gave the key, only misspelt: that it is missing is no news.
		at := join(path, meant)
		if _, given := d.fields[at]; !given {
			d.fields[at] = field{line: e.line, failed: true}
		}
	} else {
		p.Message += " (the keys here are " + strings.Join(keys, ", ") + ")"
		if holdsSecrets(t) || !plainKey(e.key) {
			p.Field = path
		}
	}
	d.problems = append(d.problems, p)
}

// sequence decodes a list.
func (d *decoder) sequence(n ast.Node, v reflect.Value, path string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		example := `["…"]`
		if v.Type().Elem().Kind() == reflect.Struct {
			example = "with a dash before each element"
		}
		d.fail(path, "must be a list, not %s (write it %s)", kindOf(n), example)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, element := range list.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.fields[at] = field{line: startLine(element)}
		if _, null := d.resolve(element).(*ast.NullNode); null {
			d.fail(at, "is empty (give it a value or remove it)")
			continue
		}
		v.Index(i).Set(blank(v.Type().Elem()))
		d.value(element, v.Index(i), at)
	}
}

// blank returns an element of a list before it is decoded.
func blank(t reflect.Type) reflect.Value {
	if t == reflect.TypeFor[Account]() {
		return reflect.ValueOf(blankAccount())
	}
	return reflect.Zero(t)
}

// scalar decodes one value. Everything is text first, so that a variable can
// stand for a number, and so that a number keeps its digits where text is meant:
// signature_version 1.0, an id of nineteen digits, a password 0123.
func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	text, isText, ok := scalarText(n)
	if !ok {
		what, example := wanted(v)
		d.fail(path, "must be %s, not %s (%s)", what, kindOf(n), example)
		return
	}
	if d.offline && credential.MatchString(path) {
		return
	}
	f := d.fields[path]
	f.raw = text
	d.fields[path] = f
	if isText {
		expanded, problem := expand(text, d.env)
		if problem != "" {
			if v.Kind() == reflect.String {
				v.SetString(text) // It counts as given: only this problem is reported.
			}
			d.fail(path, "%s", problem)
			return
		}
		text = expanded
	}
	d.set(v, path, text)
}

// set sets a field to its value.
func (d *decoder) set(v reflect.Value, path, text string) {
	if strings.TrimSpace(text) != text {
		d.fail(path, "begins or ends with white space or a line break (remove it; a block begun with |- has none)")
		return
	}
	if !setScalar(v, text) {
		what, example := wanted(v)
		d.fail(path, "must be %s (%s)", what, example)
	}
}

// credential is the path of a value of an account's credentials.
var credential = regexp.MustCompile(`^accounts\[\d+\]\.credentials\.`)

// scalarText returns a scalar as it is written, and whether it is text to YAML,
// in which variables are filled in.
func scalarText(n ast.Node) (text string, isText, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true, true
	case *ast.LiteralNode:
		return n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	default:
		return "", false, false
	}
}

// setScalar converts text to the type of v and reports whether it fits.
func setScalar(v reflect.Value, text string) bool {
	switch target := v.Addr().Interface().(type) {
	case *time.Duration:
		parsed, ok := ParseDuration(text)
		*target = parsed
		return ok
	case *bool:
		*target = text == "true"
		return text == "true" || text == "false"
	case *int:
		parsed, err := strconv.Atoi(text)
		*target = parsed
		return err == nil
	case *float64:
		parsed, err := strconv.ParseFloat(text, 64)
		*target = parsed
		return err == nil
	}
	v.SetString(text)
	return true
}

// wanted describes the values of a type, with an example.
func wanted(v reflect.Value) (what, example string) {
	switch v.Interface().(type) {
	case time.Duration:
		return "a duration", "such as 90m, 24h or 30d"
	case bool:
		return "a switch", "true or false"
	case int:
		return "a whole number", "such as 20"
	case float64:
		return "a number", "such as 10 or 0.5"
	default:
		return "a single value", "quote it if it has special characters"
	}
}

// ParseDuration reads what Go reads, with days of 24 hours in front: 30d, 1d12h, 90m. It returns false for what is none.
func ParseDuration(text string) (time.Duration, bool) {
	var total time.Duration
	if days, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16) // 65,535 days do not overflow.
		if err != nil {
			return 0, false
		}
		total = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return total, true
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil || (total > 0 && d < 0) || total+d < total && d > 0 {
		return 0, false
	}
	return total + d, true
}
