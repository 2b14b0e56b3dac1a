package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// writer writes values of any ClickHouse type. Its zero value writes as ClickHouse's text formats do; with json it
// writes JSON.
type writer struct {
	strings.Builder
	json bool
}

// null is how a missing value looks inside others, and in JSON everywhere.
func (w *writer) null() string {
	if w.json {
		return "null"
	}
	return "NULL"
}

// value writes one value. nested tells that it stands inside another one, where texts need quotes.
func (w *writer) value(t columnType, v reflect.Value, nested bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			w.WriteString(w.null())
			return
		}
		if _, ok := v.Interface().(*big.Int); ok {
			break
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		w.WriteString(w.null())
		return
	}
	// An Array(UInt8) is a []byte, which is not a text.
	if t.name != "Array" && w.leaf(t, v.Interface(), nested) {
		return
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		w.list(t, v)
	case reflect.Map:
		w.mapping(t, v)
	case reflect.String:
		w.text(v.String(), nested)
	default:
		w.text(fmt.Sprint(v.Interface()), nested)
	}
}

// leaf writes a value that holds no others, and reports false for all else.
func (w *writer) leaf(t columnType, v any, nested bool) bool {
	switch v := v.(type) {
	case string:
		if w.json || t.name != "FixedString" {
			w.text(v, nested)
		} else {
			w.text(strings.TrimRight(v, "\x00"), nested)
		}
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case int8, int16, int32, int64, int, uint8, uint16, uint32, uint64, uint:
		fmt.Fprint(w, v)
	case float32:
		w.float(float64(v), 32)
	case float64:
		w.float(v, 64)
	case decimal.Decimal:
		w.number(v.String())
	case *big.Int:
		w.number(v.String())
	case time.Time:
		w.text(timeText(t, v), nested)
	case json.Marshaler: // JSON and the like
		b, err := v.MarshalJSON()
		if err != nil {
			return false
		}
		if w.json {
			w.Write(b)
		} else {
			w.WriteString(string(b))
		}
	case fmt.Stringer:
		w.text(v.String(), nested)
	default:
		return false
	}
	return true
}

// number writes an exact number. In JSON it is a text: most readers of JSON make a float of every number.
func (w *writer) number(text string) {
	if w.json {
		w.text(text, true)
		return
	}
	w.WriteString(text)
}

func (w *writer) float(v float64, bits int) {
	switch {
	case w.json && (math.IsNaN(v) || math.IsInf(v, 0)):
		w.WriteString("null")
		return
	case math.IsNaN(v):
		w.WriteString("nan")
		return
	case math.IsInf(v, 0):
		w.WriteString(strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, bits), "+")))
		return
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	text := strconv.FormatFloat(v, format, -1, bits)
	w.WriteString(strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(text))
}

// text writes a text, quoted where the format or the place wants it.
func (w *writer) text(s string, nested bool) {
	switch {
	case w.json:
		b, err := marshalText(s)
		if err != nil {
			b = []byte(`""`)
		}
		w.Write(b)
	case nested:
		w.WriteString("'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\t", `\t`).Replace(s) + "'")
	default:
		w.WriteString(s)
	}
}

// marshalText is a JSON text that leaves < and & alone.
func marshalText(s string) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// list writes an Array, or a Tuple without names.
func (w *writer) list(t columnType, v reflect.Value) {
	open, end := "[", "]"
	if t.name == "Tuple" && !w.json {
		open, end = "(", ")"
	}
	w.WriteString(open)
	for i := range v.Len() {
		if i > 0 {
			w.WriteByte(',')
		}
		element := t.arg(0)
		switch t.name {
		case "Tuple":
			element = t.arg(i)
		case "Nested":
			element = columnType{name: "Tuple", args: t.args, keys: t.keys}
		}
		w.value(element, v.Index(i), true)
	}
	w.WriteString(end)
}

// mapping writes a Map, by its keys, or a Tuple with names, in their order.
func (w *writer) mapping(t columnType, v reflect.Value) {
	if t.name == "Tuple" && len(t.keys) > 0 {
		w.named(t, v)
		return
	}
	keys := v.MapKeys()
	texts := make(map[string]reflect.Value, len(keys))
	order := make([]string, 0, len(keys))
	for _, k := range keys {
		key := &writer{}
		key.value(t.arg(0), k, false)
		texts[key.String()] = k
		order = append(order, key.String())
	}
	slices.Sort(order)
	w.WriteByte('{')
	for i, text := range order {
		if i > 0 {
			w.WriteByte(',')
		}
		if w.json {
			w.text(text, true)
		} else {
			w.value(t.arg(0), texts[text], true)
		}
		w.WriteByte(':')
		w.value(t.arg(1), v.MapIndex(texts[text]), true)
	}
	w.WriteByte('}')
}

func (w *writer) named(t columnType, v reflect.Value) {
	open, end := "(", ")"
	if w.json {
		open, end = "{", "}"
	}
	w.WriteString(open)
	for i, key := range t.keys {
		if i > 0 {
			w.WriteByte(',')
		}
		if w.json {
			w.text(key, true)
			w.WriteByte(':')
		}
		w.value(t.arg(i), v.MapIndex(reflect.ValueOf(key)), true)
	}
	w.WriteString(end)
}

// timeText writes a time in the zone of its column, which is UTC for all of ordersync's.
func timeText(t columnType, v time.Time) string {
	switch t.name {
	case "Date", "Date32":
		return v.Format(time.DateOnly)
	case "DateTime":
		return v.Format(time.DateTime)
	case "DateTime64":
		if digits, err := strconv.Atoi(t.arg(0).name); err == nil && digits > 0 {
			return v.Format(time.DateTime + "." + strings.Repeat("0", digits))
		}
		return v.Format(time.DateTime)
	}
	return v.Format("2006-01-02 15:04:05.999999999")
}
