package domain

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// roots are the names of elements that payloads are: answers, failures, and lines. Later APIs of the vendor put Response
// behind the name of the action.
var roots = []string{queryOrder, queryOrder + "Response", "Error", "OrderProducts", "SubOrderResult"}

// members takes an object apart.
func members(raw string) ([]wire.Member, error) {
	if wire.IsXML(raw) {
		return wire.Element(raw, roots...)
	}
	if err := wire.Object(raw); err != nil {
		return nil, err
	}
	list := make([]wire.Member, 0, 24)
	field.Each(raw, func(k, v gjson.Result) bool {
		list = append(list, wire.Member{Name: field.Str(k), Value: v, Raw: k.Raw + ":" + v.Raw})
		return true
	})
	return list, nil
}

// build makes an object of the same form as raw of some of its members.
func build(raw string, list []wire.Member) string {
	var b strings.Builder
	open, between, end := "{", ",", "}"
	if wire.IsXML(raw) {
		open, between, end = "<"+queryOrder+">", "", "</"+queryOrder+">"
	}
	b.Grow(len(raw))
	b.WriteString(open)
	for n, m := range list {
		if n > 0 {
			b.WriteString(between)
		}
		b.WriteString(m.Raw)
	}
	b.WriteString(end)
	return b.String()
}

// linesOf returns the payloads of the lines inside the member OrderProducts.
func linesOf(m wire.Member, inXML bool) ([]string, error) {
	if inXML {
		list, err := wire.Element(m.Raw, roots...)
		if err != nil {
			return nil, err
		}
		var lines []string
		for _, l := range list {
			if l.Name == "SubOrderResult" {
				lines = append(lines, l.Raw)
			}
		}
		return lines, nil
	}
	if m.Value.Type == gjson.Null {
		return nil, nil
	}
	if !m.Value.IsObject() {
		return nil, &wire.ShapeError{Err: errors.New("OrderProducts is not an object"), Raw: m.Value.Raw}
	}
	var list gjson.Result
	field.Each(m.Value.Raw, func(k, v gjson.Result) bool {
		if k.Str == "SubOrderResult" {
			list = v
		}
		return true
	})
	list, err := wire.Array(list, "OrderProducts", "SubOrderResult")
	return wire.AppendRaw(nil, list), err
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
		order = order || m.Name == "OrderID"
		e.Field(m.Name, m.Value)
	}
	e.Failed = e.Code != "" && !order
	return e, nil
}
