package field

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Row is the state of reading one record: which fields it had, and the first thing that is wrong with it.
type Row struct {
	seen    uint64
	Reason  string // a label of a reject; empty while nothing is wrong
	Message string

	// The amount that was read last, and its JSON. Most amounts of a record are the same.
	json   string
	amount schema.Money
}

// Check says what is wrong with a payload as a whole. Rows of an answer need no such check: the answer had it.
func Check(raw string) Row {
	var r Row
	if !Valid(raw) {
		r.Fail(source.RejectJSON, "not JSON")
	}
	return r
}

// Readable reports whether a record has fields to read.
func (r *Row) Readable(raw string) bool {
	switch {
	case r.Reason == source.RejectJSON:
	case !strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "{"):
		r.Fail(source.RejectObject, "not an object: "+Excerpt(raw))
	default:
		if !utf8.ValidString(raw) {
			r.Fail(source.RejectUTF8, "bytes that are not UTF-8")
		}
		return true
	}
	return false
}

// Once reports whether a declared field, a number below 64, comes for the first time. A second one is an error, because
// nobody can say which of the two is meant (I4).
func (r *Row) Once(f uint8, key string) bool {
	if r.seen&(1<<f) != 0 {
		r.Fail(source.RejectDuplicateField, key+" comes twice")
		return false
	}
	r.seen |= 1 << f
	return true
}

// Listed ends the reading of a list row, which is no order without the things that place it. id is the vendor's name of the
// order's id.
func (r *Row) Listed(o *schema.Order, id string) {
	if o.Fingerprint == 0 {
		o.Fingerprint = 1 // zero means that no list row was seen
	}
	if o.OrderID == "" {
		r.Fail(source.RejectNoID, id+" is missing")
	}
	if o.CreateTime.IsZero() {
		r.Fail(source.RejectNoCreateTime, "CreateTime is missing")
	}
}

// Fail keeps the first thing that is wrong.
func (r *Row) Fail(reason, message string) {
	if r.Reason == "" {
		r.Reason, r.Message = reason, message
	}
}

// wrongType says that a value is not of any type that a vendor was ever seen to send for such a field.
func (r *Row) wrongType(key string, v gjson.Result) {
	r.Fail(source.RejectType, key+" is "+strings.ToLower(v.Type.String())+": "+Excerpt(v.Raw))
}

// Text reads a string. Vendors declare fields as strings and send numbers: these keep their characters as received.
func (r *Row) Text(key string, v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return Str(v)
	case gjson.Number:
		return v.Raw
	case gjson.Null:
		return ""
	}
	r.wrongType(key, v)
	return ""
}

// ID reads an id. As a JSON number it must be a plain one, whose characters are kept: 1e3 would be a guess, and ids of 19
// digits are beyond what a float can tell apart.
func (r *Row) ID(key string, v gjson.Result) string {
	s := r.Text(key, v)
	if v.Type == gjson.Number {
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				r.wrongType(key, v)
				return ""
			}
		}
	}
	return s
}

// Scalar reads a text, a number or a boolean, as text.
func (r *Row) Scalar(key string, v gjson.Result) string {
	if v.Type == gjson.True || v.Type == gjson.False {
		return v.Raw
	}
	return r.Text(key, v)
}

// Flag reads a boolean, which may be text; known is false where none was sent.
func (r *Row) Flag(key string, v gjson.Result) (flag, known bool) {
	switch s := strings.TrimSpace(v.Str); {
	case v.Type == gjson.True, v.Type == gjson.String && strings.EqualFold(s, "true"):
		return true, true
	case v.Type == gjson.False, v.Type == gjson.String && strings.EqualFold(s, "false"):
		return false, true
	case v.Type == gjson.Null, v.Type == gjson.String && s == "":
		return false, false
	}
	r.wrongType(key, v)
	return false, false
}

// Money reads an amount from its characters (I5). Empty, null and absent mean that nothing is known.
func (r *Row) Money(key string, v gjson.Result) schema.Money {
	return r.decimal(key, v, source.RejectMoney)
}

// Quantity reads a count, as Money does.
func (r *Row) Quantity(key string, v gjson.Result) schema.Money {
	return r.decimal(key, v, source.RejectQuantity)
}

func (r *Row) decimal(key string, v gjson.Result, reason string) schema.Money {
	if v.Raw == r.json { // with its quotes, if it has any: text and numbers are not read alike
		return r.amount
	}
	var s string
	read := parseMoney
	switch v.Type {
	case gjson.String:
		s = v.Str
	case gjson.Number:
		s, read = v.Raw, ParseNumber
	case gjson.Null:
	default:
		r.wrongType(key, v)
	}
	if strings.TrimSpace(s) == "" {
		return schema.Money{}
	}
	m, err := read(s)
	if err != nil {
		r.Fail(reason, key+": "+err.Error()+": "+Excerpt(s))
		return schema.Money{}
	}
	r.json, r.amount = v.Raw, m
	return m
}

// Time reads a time that names its zone, as UTC (I6). Empty, null and absent mean that there is none.
func (r *Row) Time(key string, v gjson.Result) time.Time { return r.time(key, v, nil, false) }

// End reads the end of a service as Time does. One that lies beyond the columns is no end, and there is none then: vendors
// write 2999-09-08 and 9999-12-31 for "never". The payload keeps what was sent.
func (r *Row) End(key string, v gjson.Result) time.Time { return r.time(key, v, nil, true) }

// LocalTime reads a time of a vendor who writes `yyyy-MM-dd HH:mm:ss` and leaves the zone out: it is in loc. A number is
// in milliseconds since 1970. A text that names its zone is taken at its word.
func (r *Row) LocalTime(key string, v gjson.Result, loc *time.Location) time.Time {
	return r.time(key, v, loc, false)
}

// LocalEnd reads the end of a service as LocalTime does, and what is no end as End does.
func (r *Row) LocalEnd(key string, v gjson.Result, loc *time.Location) time.Time {
	return r.time(key, v, loc, true)
}

// time reads a time; without a zone it has to name one.
func (r *Row) time(key string, v gjson.Result, loc *time.Location, end bool) (t time.Time) {
	s := strings.TrimSpace(v.Str)
	var err error
	switch {
	case v.Type == gjson.Null, v.Type == gjson.String && s == "":
	case v.Type == gjson.Number && loc != nil:
		t, err = parseMillis(v.Raw)
	case v.Type != gjson.String:
		r.wrongType(key, v)
	case loc == nil || strings.Contains(s, "T"):
		t, err = ParseTime(s)
	case strings.ContainsAny(s, "-:"):
		t, err = parseLocal(s, loc)
	default:
		t, err = parseMillis(s)
	}
	// An end that is too late for the columns may lack the zone or the time of the day, too: these make no difference then.
	never := end && (errors.Is(err, errTimeLate) || errors.Is(err, errNotTime) && isLateDay(s))
	if err != nil && !never {
		r.Fail(source.RejectTime, key+": "+err.Error()+": "+Excerpt(v.Raw))
	}
	return t
}
