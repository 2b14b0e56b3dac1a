package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// Envelope is what a vendor's answers have around their data, good and bad ones.
type Envelope struct {
	Code, Text, RequestID string
	Denied                map[string]string // what the vendor says of a permission that is missing, by names in lower case
	Failed                bool              // the answer says that the call has failed, whatever its HTTP status is
	Data                  gjson.Result      // where the data is; what it is, is the vendor's matter
}

// Field takes one of the fields that the vendors' gateways have in all their answers. Their spelling differs by gateway
// (Code, code; RequestId, requestId, requestid; Message, and Msg of UniCloud), and the vendors' SDKs take them all, so case
// says nothing here.
func (e *Envelope) Field(name string, v gjson.Result) {
	set := func(to *string) {
		if text := field.Plain(v); text != "" {
			*to = text
		}
	}
	switch strings.ToLower(name) {
	case "code":
		set(&e.Code)
	case "message", "msg":
		set(&e.Text)
	case "requestid":
		set(&e.RequestID)
	case "accessdenieddetail":
		said := func(name string, v gjson.Result) {
			if text := field.Plain(v); text != "" {
				e.Denied[strings.ToLower(name)] = text
			}
		}
		e.Denied = map[string]string{}
		if v.IsObject() {
			field.Each(v.Raw, func(k, v gjson.Result) bool { said(field.Str(k), v); return true })
		} else if parts, err := Element(v.Raw); err == nil {
			for _, p := range parts {
				said(p.Name, p.Value)
			}
		}
	}
}

// Answer is what came back from a call that the vendor says has succeeded.
type Answer struct {
	Envelope
	Action    string
	Status    int
	Header    http.Header
	Body      string
	Version   uint64
	FetchedAt time.Time
}

// Page makes a page of the rows of a listing. size is how many were asked for.
func (a *Answer) Page(total int, rows gjson.Result, size int, decode func(raw string, o *schema.Order) field.Row) source.Page {
	// A row has at least some hundred bytes: what the answer claims is never what is allocated.
	p := source.Page{Total: total, Orders: make([]schema.Order, 0, min(size, len(rows.Raw)/100))}
	rows.ForEach(func(_, v gjson.Result) bool {
		p.Orders = append(p.Orders, schema.Order{})
		o := &p.Orders[len(p.Orders)-1]
		if r := decode(v.Raw, o); r.Reason != "" {
			p.Rejects = append(p.Rejects, field.RejectedOrder(o, &r))
			p.Orders = p.Orders[:len(p.Orders)-1]
			return true
		}
		o.Version, o.FetchedAt = a.Version, a.FetchedAt
		return true
	})
	return p
}

// Stamp says of the rows of a detail when they were fetched.
func (a *Answer) Stamp(d *source.Detail) {
	for k := range d.Items {
		d.Items[k].Version, d.Items[k].FetchedAt = a.Version, a.FetchedAt
	}
	if d.Order != nil {
		d.Order.Version, d.Order.FetchedAt = a.Version, a.FetchedAt
	}
}

// ShapeError is an answer, or a part of one, that is not what it should be.
type ShapeError struct {
	Err error
	Raw string // the part
}

func (e *ShapeError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ShapeError) Unwrap() error { return e.Err }

// What can be wrong with an answer as a whole.
var (
	errEmpty     = errors.New("the answer is empty")
	errNotJSON   = errors.New("the answer is not JSON")
	ErrNotObject = errors.New("the answer is not a JSON object")
)

// Object checks that an answer is a JSON object, once: its parts need no further check.
func Object(body string) error {
	switch trimmed := strings.TrimLeft(body, " \t\r\n"); {
	case trimmed == "":
		return errEmpty
	case !field.Valid(body):
		return &ShapeError{errNotJSON, trimmed}
	case trimmed[0] != '{':
		return &ShapeError{ErrNotObject, trimmed}
	}
	return nil
}

// Count reads a count. Without its total a listing cannot be proved complete.
func Count(name string, v gjson.Result) (int, error) {
	if v.Type == gjson.Number || v.Type == gjson.String {
		if n, err := strconv.ParseUint(field.Plain(v), 10, 31); err == nil {
			return int(n), nil
		}
	}
	if v.Type == gjson.Null {
		return 0, fmt.Errorf("%s is missing", name)
	}
	return 0, &ShapeError{Err: fmt.Errorf("%s is not a count", name), Raw: v.Raw}
}

// Array returns an array, which is empty where there is none or null: a null would be one element. path says where it is.
func Array(v gjson.Result, path ...string) (gjson.Result, error) {
	switch {
	case v.Type == gjson.Null:
		return gjson.Result{}, nil
	case !v.IsArray():
		return gjson.Result{}, &ShapeError{Err: errors.New(strings.Join(path, ".") + " is not an array"), Raw: v.Raw}
	}
	return v, nil
}

// AppendRaw appends the elements of an array as they were received.
func AppendRaw(dst []string, array gjson.Result) []string {
	array.ForEach(func(_, v gjson.Result) bool {
		dst = append(dst, v.Raw)
		return true
	})
	return dst
}
