package schema

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Field is a field of a row and the column that holds it. The tags of the fields are the one list of a table's columns:
// `ch:"order_id"`. A string is a String, or with `,label` a LowCardinality(String), for words of which there are few; a time
// with `,optional` is NULL where it is zero.
type Field struct {
	Column
	index []int
}

// Fields returns the fields of a row's type, those of embedded structs included, that are columns.
func Fields[Row any]() []Field {
	var out []Field
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Row]()) {
		tag, ok := f.Tag.Lookup("ch")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		out = append(out, Field{Column{name, columnType(f.Type, option)}, f.Index})
	}
	return out
}

// Of returns the field of a row.
func (f Field) Of(row reflect.Value) reflect.Value { return row.FieldByIndex(f.index) }

func columnType(t reflect.Type, option string) string {
	switch {
	case t == reflect.TypeFor[time.Time]() && option == "optional":
		return "Nullable(DateTime64(3, 'UTC'))"
	case t == reflect.TypeFor[time.Time]():
		return "DateTime64(3, 'UTC')"
	case t == reflect.TypeFor[Money]():
		return "Nullable(Decimal(38, 12))"
	case t == reflect.TypeFor[[]string]():
		return "Array(String)"
	case t == reflect.TypeFor[map[string]string]():
		return "Map(String, String)"
	case t.Kind() == reflect.String && option == "label":
		return "LowCardinality(String)"
	case t.Kind() == reflect.String:
		return "String"
	case t.Kind() == reflect.Bool:
		return "UInt8"
	case t.Kind() == reflect.Uint32:
		return "UInt32"
	case t.Kind() == reflect.Uint64, t.Kind() == reflect.Int: // counts, which are never negative
		return "UInt64"
	case t.Kind() == reflect.Float64: // never money (I5)
		return "Float64"
	}
	panic(fmt.Sprintf("no column can hold a %s", t))
}
