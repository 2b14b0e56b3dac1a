package wire

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// Member is a field of an object, of JSON or of XML. A text of XML is a JSON string here, so that both are read by the
// same code. Raw is the field as received, with its name.
type Member struct {
	Name  string
	Value gjson.Result
	Raw   string
}

var errNotXML = fmt.Errorf("%w, nor XML", errNotJSON)

// IsXML reports whether a payload is XML, or else JSON.
func IsXML(raw string) bool { return strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "<") }

// Element takes an element of XML apart into the elements right inside it. There must be nothing behind it. roots are the names
// that it may have; without any it may have each.
func Element(raw string, roots ...string) (list []Member, err error) {
	broken := func(err error) ([]Member, error) {
		return nil, &ShapeError{errors.Join(errNotXML, err), raw}
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
				if name = t.Name.Local; len(roots) > 0 && !slices.Contains(roots, name) {
					return broken(fmt.Errorf("the root is %s", field.Excerpt(name)))
				}
			case 1:
				list = append(list, Member{Name: t.Name.Local})
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
				m.Raw = raw[start:d.InputOffset()]
				if m.Value = textValue(text.String()); inner {
					m.Value = gjson.Result{Type: gjson.JSON, Raw: m.Raw} // no text, and no field is declared to be anything else
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

// gatewayRefusal reads the failure of a gateway that answers in XML, whatever the API speaks: XML is its default, and what
// refuses a call early has not looked at the format that it asks for. Anything else than a failure with a code is an error.
func gatewayRefusal(body string) (e Envelope, err error) {
	list, err := Element(body)
	for _, m := range list {
		e.Field(m.Name, m.Value)
	}
	if err == nil && e.Code == "" {
		err = errNotXML
	}
	return e, err
}
