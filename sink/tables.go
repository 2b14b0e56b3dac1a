package sink

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// table says how rows of type T are written and read: all of it follows from the tags of T, see [schema.Field].
type table[T any] struct {
	name    string
	columns []schema.Field
	// label names a row for people, in errors.
	label func(*T) string
	// place is where a row is stored: the month of its partition, as a number like 202611, and negative for a tombstone.
	// Nil where the table has no partitions.
	place func(*T) int
}

func newTable[T any](name string, label func(*T) string) *table[T] {
	return &table[T]{name: name, columns: schema.Fields[T](), label: label}
}

// partitioned is a table whose partitions are the months of a time.
func (t *table[T]) partitioned(by func(*T) (created time.Time, deleted bool)) *table[T] {
	t.place = func(row *T) int {
		created, deleted := by(row)
		year, month, _ := created.UTC().Date()
		if deleted {
			return -(year*100 + int(month))
		}
		return year*100 + int(month)
	}
	return t
}

var orderTable = newTable("order_rows", func(o *schema.Order) string { return "order " + o.OrderID + " of " + o.Stream.String() }).
	partitioned(func(o *schema.Order) (time.Time, bool) { return o.CreateTime, o.Deleted })

var itemTable = newTable("order_item_rows", func(i *schema.Item) string {
	return "item " + i.ItemID + " of order " + i.OrderID + " of " + i.Stream.String()
}).partitioned(func(i *schema.Item) (time.Time, bool) { return i.CreateTime, i.Deleted })

var windowTable = newTable("sync_window_rows", func(w *schema.Window) string {
	return "window " + w.Start.Format(time.RFC3339) + " of " + w.Stream.String()
})

var rejectTable = newTable("reject_rows", func(r *schema.Reject) string { return "reject " + r.ID + " of " + r.Stream.String() })

// rejectState is one row of reject_states: what became of a reject. The server copies each row of reject_rows to it; only
// that a record became a row is written here alone.
type rejectState struct {
	schema.Reject
	Payload uint64 `ch:"payload"`
}

var rejectStateTable = newTable("reject_states", func(r *rejectState) string { return rejectTable.label(&r.Reject) }).
	without("message", "raw", "accepted_by", "note")

// without is the table without some columns of the row.
func (t *table[T]) without(names ...string) *table[T] {
	t.columns = slices.DeleteFunc(t.columns, func(f schema.Field) bool { return slices.Contains(names, f.Name) })
	return t
}

// size is about the number of bytes of a row.
func (t *table[T]) size(row *T) int {
	n, v := 0, reflect.ValueOf(row).Elem()
	for _, c := range t.columns {
		switch c.Type {
		case "String":
			n += c.Of(v).Len()
		case "Array(String)":
			for _, s := range *in[[]string](c, v) {
				n += len(s)
			}
		case "Map(String, String)":
			for k, s := range *in[map[string]string](c, v) {
				n += len(k) + len(s)
			}
		}
		n += 8
	}
	return n
}

// selected is the list of a table's columns in a SELECT whose rows scan reads. Times are asked for as numbers: the driver's
// own conversion wraps beyond the year 2262 (I6).
func (t *table[T]) selected() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		if names[i] = c.Name; strings.Contains(c.Type, "DateTime64") {
			names[i] = "toUnixTimestamp64Milli(" + c.Name + ")"
		}
	}
	return strings.Join(names, ", ")
}

// all is a SELECT of all columns of a table whose rows scan reads.
func (t *table[T]) all() string { return "SELECT " + t.selected() + " FROM " + t.name }

// scan reads a row of what selected asks for.
func (t *table[T]) scan(rows driver.Rows) (T, error) {
	var row T
	v := reflect.ValueOf(&row).Elem()
	targets := make([]any, len(t.columns))
	var after []func()
	for i, c := range t.columns {
		field := c.Of(v)
		switch c.Type {
		case "String", "LowCardinality(String)": // the field may be of a type of its own
			targets[i] = field.Addr().Convert(reflect.TypeFor[*string]()).Interface()
		case "UInt8":
			var flag uint8
			targets[i] = &flag
			after = append(after, func() { field.SetBool(flag != 0) })
		case "UInt64":
			if !field.CanInt() {
				targets[i] = field.Addr().Interface()
				break
			}
			var n uint64
			targets[i] = &n
			after = append(after, func() { field.SetInt(int64(n)) })
		case "DateTime64(3, 'UTC')":
			var ms int64
			targets[i] = &ms
			after = append(after, func() { *in[time.Time](c, v) = fromMilliseconds(ms) })
		case "Nullable(DateTime64(3, 'UTC'))":
			var ms *int64
			targets[i] = &ms
			after = append(after, func() { *in[time.Time](c, v) = optional(ms) })
		case "Nullable(Decimal(38, 12))":
			var d *decimal.Decimal
			targets[i] = &d
			after = append(after, func() { *in[schema.Money](c, v) = money(d) })
		default:
			targets[i] = field.Addr().Interface()
		}
	}
	if err := rows.Scan(targets...); err != nil {
		return row, err
	}
	for _, f := range after {
		f()
	}
	return row, nil
}

// money is the amount without the zeros that the column's scale adds: 10.500000000000 was received as 10.5 or 10.50.
func money(d *decimal.Decimal) schema.Money {
	if d == nil {
		return schema.Money{}
	}
	// String prints all digits that count, and no float is involved (I5).
	return schema.Money{Decimal: decimal.RequireFromString(d.String()), Valid: true}
}

// optional is the time of a Nullable column; NULL is the zero time.
func optional(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return fromMilliseconds(*ms)
}
