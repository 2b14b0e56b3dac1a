package field

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// IDs reads instance ids: a JSON array inside a string, as the vendor documents it, or a real array. Text that is not
// JSON is one id.
func (r *Row) IDs(key string, v gjson.Result) []string {
	switch {
	case v.Type == gjson.Null:
		return nil
	case v.IsArray():
		return r.elements(key, v)
	case v.Type != gjson.String:
		r.wrongType(key, v)
		return nil
	}
	s := strings.TrimSpace(Str(v))
	if s == "" {
		return nil
	}
	if !Valid(s) {
		return []string{s}
	}
	switch inner := gjson.Parse(s); {
	case inner.IsArray():
		return r.elements(key, inner)
	case inner.Type == gjson.String && inner.Str != "":
		return []string{Str(inner)}
	case inner.Type == gjson.Number:
		return []string{s}
	case inner.Type == gjson.Null || inner.Type == gjson.String:
		return nil
	}
	r.wrongType(key, v)
	return nil
}

// elements reads the ids of an array; empty ones are none.
func (r *Row) elements(key string, list gjson.Result) []string {
	var ids []string
	list.ForEach(func(_, v gjson.Result) bool {
		if s := r.Text(key, v); s != "" {
			ids = append(ids, s)
		}
		return true
	})
	return ids
}

// Texts reads a map of texts. Values that are not text keep their JSON.
func (r *Row) Texts(key string, v gjson.Result) map[string]string {
	if s := Str(v); v.Type == gjson.String && strings.TrimSpace(s) != "" && Valid(s) {
		v = gjson.Parse(s) // a map inside a string, as with the instance ids
	}
	switch {
	case v.Type == gjson.Null, v.Type == gjson.String && strings.TrimSpace(v.Str) == "":
		return nil
	case v.IsArray() && len(v.Array()) == 0:
		return nil
	case !v.IsObject():
		r.wrongType(key, v)
		return nil
	}
	var m map[string]string
	v.ForEach(func(k, v gjson.Result) bool {
		if m == nil {
			m = make(map[string]string)
		}
		switch name := Str(k); v.Type {
		case gjson.String:
			m[name] = Str(v)
		case gjson.Null:
			m[name] = ""
		default:
			m[name] = CompactJSON(v)
		}
		return true
	})
	return m
}

// CompactJSON is a value's JSON without white space; nothing for null and empty text. JSON inside a string is taken
// out of it, so that SQL can look into it.
func CompactJSON(v gjson.Result) string {
	raw := v.Raw
	switch v.Type {
	case gjson.Null:
		return ""
	case gjson.String:
		s := strings.TrimSpace(Str(v))
		if s == "" {
			return ""
		}
		if (s[0] == '{' || s[0] == '[') && Valid(s) {
			raw = s
		}
	}
	if !strings.ContainsAny(raw, " \t\r\n") {
		return raw
	}
	var b bytes.Buffer
	b.Grow(len(raw))
	if err := json.Compact(&b, []byte(raw)); err != nil {
		return raw // cannot be: it is JSON
	}
	return b.String()
}
