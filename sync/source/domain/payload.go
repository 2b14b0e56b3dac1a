package domain

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// member is a field of an object, of JSON or of XML. A text of XML is a JSON string here, so that both are read by the
// same code. raw is the field as received, with its name.
type member struct {
	name  string
	value gjson.Result
	raw   string
}

var errNotXML = fmt.Errorf("%w, nor XML", wire.ErrNotJSON)

// roots are the names of elements that payloads are: answers, failures, and lines. Later APIs of the vendor put Response
// behind the name of the action.
var roots = []string{queryOrder, queryOrder + "Response", "Error", denied, "OrderProducts", "SubOrderResult"}

// denied is the part of a failure that says which permission is missing.
const denied = "AccessDeniedDetail"

// isXML reports whether a payload is XML, or else JSON.
func isXML(raw string) bool { return strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n\ufeff"), "<") }

// members takes an object apart.
func members(raw string) ([]member, error) {
	if isXML(raw) {
		return element(raw)
	}
	if err := wire.Object(raw); err != nil {
		return nil, err
	}
	list := make([]member, 0, 24)
	field.Each(raw, func(k, v gjson.Result) bool {
		list = append(list, member{name: field.Str(k), value: v, raw: k.Raw + ":" + v.Raw})
		return true
	})
	return list, nil
}

// element takes an element of XML apart into the elements right inside it. There must be nothing behind it.
func element(raw string) (list []member, err error) {
	broken := func(err error) ([]member, error) {
		return nil, &wire.ShapeError{Err: errors.Join(errNotXML, err), Raw: raw}
	}
	name := ""
	d := xml.NewDecoder(strings.NewReader(raw))
	depth, start := 0, int64(0)
	var text strings.Builder
	var inner bool // the element that is read has others inside
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) && name != "" && depth == 0 {
			return list, nil
		}
		if err != nil {
			return broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch depth {
			case 0:
				if name != "" {
					return broken(errors.New("two roots"))
				}
				if name = t.Name.Local; !slices.Contains(roots, name) {
					return broken(fmt.Errorf("the root is %s", field.Excerpt(name)))
				}
			case 1:
				list = append(list, member{name: t.Name.Local})
				start, inner = before, false
				text.Reset()
			default:
				inner = true
			}
			depth++
		case xml.EndElement:
			depth--
			if depth == 1 {
				m := &list[len(list)-1]
				m.raw = raw[start:d.InputOffset()]
				if m.value = textValue(text.String()); inner {
					m.value = gjson.Result{Type: gjson.JSON, Raw: m.raw} // no text, and no field is declared to be anything else
				}
			}
		case xml.CharData:
			if depth == 2 {
				text.Write(t)
			}
		}
	}
}

// textValue is a text as a value of JSON; Raw is only for messages.
func textValue(s string) gjson.Result { return gjson.Result{Type: gjson.String, Str: s, Raw: s} }

// build makes an object of the same form as raw of some of its members.
func build(raw string, list []member) string {
	var b strings.Builder
	open, between, end := "{", ",", "}"
	if isXML(raw) {
		open, between, end = "<"+queryOrder+">", "", "</"+queryOrder+">"
	}
	b.Grow(len(raw))
	b.WriteString(open)
	for n, m := range list {
		if n > 0 {
			b.WriteString(between)
		}
		b.WriteString(m.raw)
	}
	b.WriteString(end)
	return b.String()
}

// lines returns the payloads of the lines inside the member OrderProducts.
func (m member) lines(inXML bool) ([]string, error) {
	var lines []string
	if inXML {
		list, err := element(m.raw)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if l.name == "SubOrderResult" {
				lines = append(lines, l.raw)
			}
		}
		return lines, nil
	}
	if m.value.Type == gjson.Null {
		return nil, nil
	}
	if !m.value.IsObject() {
		return nil, &wire.ShapeError{Err: errors.New("OrderProducts is not an object"), Raw: m.value.Raw}
	}
	var list gjson.Result
	field.Each(m.value.Raw, func(k, v gjson.Result) bool {
		if k.Str == "SubOrderResult" {
			list = v
		}
		return true
	})
	switch {
	case list.Type == gjson.Null:
		return nil, nil
	case !list.IsArray():
		return nil, &wire.ShapeError{Err: errors.New("OrderProducts.SubOrderResult is not an array"), Raw: list.Raw}
	}
	list.ForEach(func(_, v gjson.Result) bool {
		lines = append(lines, v.Raw)
		return true
	})
	return lines, nil
}

// parseEnvelope checks the whole answer and takes its envelope apart. There is no mark of success but the HTTP status;
// an answer with a code and without an order is a failure all the same.
func parseEnvelope(body string) (wire.Envelope, error) {
	var e wire.Envelope
	list, err := members(body)
	if err != nil {
		return e, err
	}
	order := false
	for _, m := range list {
		switch {
		case m.name == "OrderID":
			order = true
		case m.name == denied && isXML(body):
			parts, err := element(m.raw)
			if err != nil {
				return e, err
			}
			e.Denied = make(map[string]string, len(parts))
			for _, p := range parts {
				e.Denied[strings.ToLower(p.name)] = field.Plain(p.value)
			}
		default:
			e.Field(m.name, m.value)
		}
	}
	e.Failed = e.Code != "" && !order
	return e, nil
}
