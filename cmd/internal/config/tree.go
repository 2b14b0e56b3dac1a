package config

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// entry is one key of a mapping.
type entry struct {
	key   string
	value ast.Node
	line  int
}

// entries lists the keys of a mapping in the order of the file, each once, and
// reports those that are given twice. Keys that come in with a merge (<<) follow;
// the mapping's own keys win over them. The second result is false when n is not
// a mapping. merging holds the mappings whose merge is being resolved, so that
// one that merges itself ends.
func (d *decoder) entries(n ast.Node, path string, merging []ast.Node) ([]entry, bool) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		return nil, false
	}
	for _, m := range merging {
		if m == n {
			return nil, true
		}
	}
	var list []entry
	var merges []entry
	first := map[string]int{}
	for it := pairs.MapRange(); it.Next(); {
		e := entry{key: keyText(it.Key()), value: it.Value(), line: startLine(it.Key())}
		line, repeated := first[e.key]
		switch {
		case it.Key().IsMergeKey():
			merges = append(merges, e)
		case repeated:
			d.repeated(path, e, line)
		default:
			first[e.key] = e.line
			list = append(list, e)
		}
	}
	for _, m := range merges {
		for _, merged := range d.mergedEntries(m, path, append(merging, n)) {
			if _, exists := first[merged.key]; !exists {
				first[merged.key] = merged.line
				list = append(list, merged)
			}
		}
	}
	return list, true
}

// maxMerges bounds the work of merges that merge each other, which doubles with
// every level.
const maxMerges = 1000

// mergedEntries lists the keys that one merge brings in: those of a mapping, or
// of a list of mappings, of which the earlier ones win.
func (d *decoder) mergedEntries(m entry, path string, merging []ast.Node) []entry {
	if d.merges++; d.merges > maxMerges {
		if d.merges == maxMerges+1 {
			d.problems = append(d.problems, Problem{Line: m.line, Field: path, Message: "too many merges (write the keys out)"})
		}
		return nil
	}
	from := d.resolve(m.value)
	sources := []ast.Node{from}
	if list, ok := from.(*ast.SequenceNode); ok {
		sources = list.Values
	}
	var all []entry
	for _, source := range sources {
		entries, ok := d.entries(d.resolve(source), path, merging)
		if !ok {
			d.problems = append(d.problems, Problem{Line: m.line, Field: path, Message: "<< must merge a mapping (write <<: *anchor)"})
		}
		all = append(all, entries...)
	}
	return all
}

// repeated reports a key that is given a second time.
func (d *decoder) repeated(path string, e entry, line int) {
	p := Problem{Line: e.line, Field: path, Message: "a key is given twice (remove one)"}
	// A key that nobody knows may be a secret that slipped out of its place.
	if plainKey(e.key) && knownKeys[e.key] {
		p.Field = join(path, e.key)
		p.Message = "is given twice, first on line " + strconv.Itoa(line) + " (remove one)"
	}
	d.problems = append(d.problems, p)
}

// keyText returns the text of a key.
func keyText(k ast.MapKeyNode) string {
	var n ast.Node = k
	if explicit, ok := n.(*ast.MappingKeyNode); ok && explicit.Value != nil {
		n = explicit.Value
	}
	if text, _, ok := scalarText(n); ok {
		return text
	}
	return n.GetToken().Value
}

// startLine returns the line on which a node begins. A block mapping's own token
// is the colon of its first pair, which may be on a later line than the key.
func startLine(n ast.Node) int {
	if n == nil {
		return 0
	}
	if pairs, ok := n.(*ast.MappingNode); ok && !pairs.IsFlowStyle && len(pairs.Values) > 0 {
		n = pairs.Values[0].Key
	}
	if token := n.GetToken(); token != nil && token.Position != nil {
		return token.Position.Line
	}
	return 0
}

// kindOf names what a node is, never what it holds.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// yamlKeys lists the keys of a struct in its order.
func yamlKeys(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldByKey returns the field of a struct that has the key.
func fieldByKey(v reflect.Value, key string) reflect.Value {
	for f, value := range v.Fields() {
		if f.Tag.Get("yaml") == key {
			return value
		}
	}
	panic("config: no field has the key " + key) // The caller took the key from yamlKeys.
}

// holdsSecrets reports whether a struct has a field of type Secret.
func holdsSecrets(t reflect.Type) bool {
	for f := range t.Fields() {
		if f.Type == reflect.TypeFor[Secret]() {
			return true
		}
	}
	return false
}

// knownKeys holds every key that exists anywhere in a configuration.
var knownKeys = func() map[string]bool {
	known := map[string]bool{}
	eachSetting(reflect.TypeFor[Config](), "", func(path string, _ bool) {
		known[path[strings.LastIndexByte(path, '.')+1:]] = true
	})
	return known
}()

// plainKey reports whether a key looks like one, so that it can stand in a path
// without breaking the line.
func plainKey(key string) bool {
	return key != "" && len(key) <= 40 && strings.Trim(strings.ToLower(key), "abcdefghijklmnopqrstuvwxyz_-") == ""
}

// join appends a key to the path of a field.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
