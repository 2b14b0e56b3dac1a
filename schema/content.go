package schema

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Content is all that an order's row says of the order, in one text: equal contents are equal rows, whatever their
// bookkeeping. Amounts compare by value, times by instant.
func (o *Order) Content() string { return content(o, orderFields, bookkeeping...) }

// Facts is what an order's columns say of the order, as Content does, without the payloads and what is derived from them:
// two payloads may say the same.
func (o *Order) Facts() string { return content(o, orderFields, notFacts...) }

// Content is all that an item's row says of the item, as for an order.
func (i *Item) Content() string { return content(i, itemFields, bookkeeping...) }

var (
	orderFields = Fields[Order]()
	itemFields  = Fields[Item]()

	bookkeeping = []string{"fetched_at", "version"}
	notFacts    = append([]string{"fingerprint", "detail_status", "items", "is_deleted", "raw", "raw_detail"}, bookkeeping...)
)

// content writes all columns of a row but some, so that different values give different texts.
func content[Row any](row *Row, columns []Field, but ...string) string {
	var out strings.Builder
	text := func(values ...string) {
		for _, v := range values {
			out.WriteString(strconv.Itoa(len(v)))
			out.WriteByte(':')
			out.WriteString(v)
		}
	}
	at := reflect.ValueOf(row).Elem()
	for _, c := range columns {
		if slices.Contains(but, c.Name) {
			continue
		}
		switch v := c.Of(at).Interface().(type) {
		case time.Time:
			if v.IsZero() {
				text("")
			} else {
				text(strconv.FormatInt(v.UnixMilli(), 10)) // the precision of the columns
			}
		case Money:
			if v.Valid {
				text(v.Decimal.String())
			} else {
				text("")
			}
		case []string:
			text(strconv.Itoa(len(v)))
			text(v...)
		case map[string]string:
			text(strconv.Itoa(len(v)))
			for _, k := range slices.Sorted(maps.Keys(v)) {
				text(k, v[k])
			}
		default:
			text(fmt.Sprint(v))
		}
	}
	return out.String()
}
